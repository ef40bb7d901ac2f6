import { createRouter, createWebHistory } from 'vue-router'
import type { AdminPage } from '../../core/ui-kit/admin-pages.ts'

declare module 'vue-router' {
  interface RouteMeta {
    /** Without a session. */
    open?: boolean
    page?: AdminPage
  }
}

export const router = createRouter({
  history: createWebHistory('/admin/'),
  routes: [
    { path: '/setup', component: () => import('./features/setup/SetupPage.vue'), meta: { open: true } },
    { path: '/join/:token', component: () => import('./features/setup/JoinPage.vue'), meta: { open: true } },
    // The shell leads on to the first page one may open.
    { path: '/', component: { render: () => null } },
    { path: '/overview', component: () => import('./features/overview/OverviewPage.vue'), meta: { page: 'overview' } },
    { path: '/inboxes', component: () => import('./features/inboxes/InboxesPage.vue'), meta: { page: 'inboxes' } },
    { path: '/inboxes/:id', component: () => import('./features/inboxes/InboxPage.vue'), meta: { page: 'inboxes' } },
    { path: '/agents', component: () => import('./features/agents/AgentsPage.vue'), meta: { page: 'agents' } },
    { path: '/assignment', component: () => import('./features/assignment/AssignmentPage.vue'), meta: { page: 'assignment' } },
    { path: '/departments', component: () => import('./features/departments/DepartmentsPage.vue'), meta: { page: 'departments' } },
    { path: '/roles', component: () => import('./features/roles/RolesPage.vue'), meta: { page: 'roles' } },
    { path: '/records', component: () => import('../../core/ui-kit/records/RecordsPage.vue'), meta: { page: 'records' } },
    { path: '/recycle-bin', component: () => import('./features/records/RecycleBinPage.vue'), meta: { page: 'recycle-bin' } },
    { path: '/retention', component: () => import('./features/retention/RetentionPage.vue'), meta: { page: 'retention' } },
    { path: '/categories', component: () => import('./features/categories/CategoriesPage.vue'), meta: { page: 'categories' } },
    { path: '/tags', component: () => import('./features/tags/TagsPage.vue'), meta: { page: 'tags' } },
    { path: '/plugins', component: () => import('./features/plugin-list/PluginsPage.vue'), meta: { page: 'plugins' } },
    { path: '/tokens', component: () => import('./features/tokens/TokensPage.vue'), meta: { page: 'tokens' } },
    { path: '/system', component: () => import('./features/system/SystemPage.vue'), meta: { page: 'system' } },
    { path: '/account', component: () => import('./features/account/AccountPage.vue') },
    { path: '/x/:plugin/:path(.*)', component: () => import('../../core/ui-kit/PluginPage.vue'), props: true },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
