import '../../core/ui-kit/elements.ts'
import '../../core/ui-kit/tokens.css'
import '../../core/ui-kit/controls.css'
import './admin.css'
import { abilitiesPlugin } from '@casl/vue'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { ability } from '../../core/ui-kit/ability.ts'
import { followAppearance } from '../../core/ui-kit/appearance.ts'
import { makeI18n } from '../../core/ui-kit/i18n.ts'
import { followUpgrades } from '../../core/ui-kit/upgrades.ts'
import App from './App.vue'
import { en } from './locales/en.ts'
import { zh } from './locales/zh.ts'
import { router } from './router.ts'

followAppearance()
followUpgrades()
createApp(App).use(createPinia()).use(abilitiesPlugin, ability).use(makeI18n({ zh, en })).use(router).mount('#app')
