/** Styles of the Element Plus components that are imported by name: the resolver brings styles only for those that are not. */
import 'element-plus/es/components/dialog/style/css'
import 'element-plus/es/components/dropdown/style/css'
import 'element-plus/es/components/dropdown-item/style/css'
import 'element-plus/es/components/dropdown-menu/style/css'
import 'element-plus/es/components/popover/style/css'
