/** How both apps are built. Vue is not bundled but loaded from one address, so that plugins' UI modules share it. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
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
      // `npm run dev` builds beside a hub that serves the folder.
      emptyOutDir: !process.argv.includes('--watch'),
      chunkSizeWarningLimit: 900,
      rolldownOptions: { external: ['vue'], output: { paths: { vue: '/ui/shared/vue.js' } } },
    },
  })
}

/**
 * A plugin's UI modules (`ui/admin.ts`, `ui/workbench.ts`, whichever exist), built to `ui/dist/*.js`: one module each, Vue
 * by the shared address. Such a module brings no styles of its own; it uses the kit's classes and tokens.
 */
export function pluginUiConfig(dir: string): UserConfig {
  const entries = ['admin', 'workbench'].map((name) => [name, join(dir, `${name}.ts`)] as const).filter(([, file]) => existsSync(file))
  return defineConfig({
    root: dir,
    logLevel: 'warn',
    plugins: [vue()],
    // A library build leaves this to whoever takes it up; here nobody does.
    define: { 'process.env.NODE_ENV': JSON.stringify('production') },
    build: {
      target: 'es2022',
      outDir: join(dir, 'dist'),
      modulePreload: false,
      lib: { entry: Object.fromEntries(entries), formats: ['es'], fileName: (_format, name) => `${name}.js` },
      rolldownOptions: { external: ['vue'], output: { paths: { vue: '/ui/shared/vue.js' } } },
    },
  })
}
