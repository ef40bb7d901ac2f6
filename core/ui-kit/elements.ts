/** The looks of the Element Plus parts that are imported by name: the build's resolver sees only those it finds in templates by itself. */
import 'element-plus/es/components/dialog/style/css'
import 'element-plus/es/components/popover/style/css'
import 'element-plus/es/components/dropdown/style/css'
import 'element-plus/es/components/dropdown-menu/style/css'
import 'element-plus/es/components/dropdown-item/style/css'
