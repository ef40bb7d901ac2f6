/** How both apps are built. Vue is not bundled but loaded from one address, so that plugins' UI modules share it. */
import { copyFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import components from 'unplugin-vue-components/vite'
import { defineConfig, type UserConfig } from 'vite'

const require = createRequire(import.meta.url)

export function uiConfig(name: 'workbench' | 'admin', root: string): UserConfig {
  return defineConfig({
    root,
    base: `/${name}/`,
    plugins: [
      vue(),
      components({ resolvers: [ElementPlusResolver({ importStyle: 'css' })], dirs: [], dts: false }),
      {
        name: 'huike-shared-vue',
        closeBundle() {
          const shared = join(root, 'dist/shared')
          mkdirSync(shared, { recursive: true })
          copyFileSync(join(dirname(require.resolve('vue/package.json')), 'dist/vue.runtime.esm-browser.prod.js'), join(shared, 'vue.js'))
        },
      },
    ],
    build: {
      target: 'es2022',
      chunkSizeWarningLimit: 900,
      rolldownOptions: { external: ['vue'], output: { paths: { vue: '/ui/shared/vue.js' } } },
    },
  })
}
