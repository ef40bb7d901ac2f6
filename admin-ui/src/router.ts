import { createRouter, createWebHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHistory('/admin/'),
  routes: [
    { path: '/setup', component: () => import('./features/setup/SetupPage.vue'), meta: { open: true } },
    { path: '/join/:token', component: () => import('./features/setup/JoinPage.vue'), meta: { open: true } },
    { path: '/', redirect: '/inboxes' },
    { path: '/inboxes', component: () => import('./features/inboxes/InboxesPage.vue') },
    { path: '/inboxes/:id', component: () => import('./features/inboxes/InboxPage.vue') },
    { path: '/agents', component: () => import('./features/agents/AgentsPage.vue') },
    { path: '/assignment', component: () => import('./features/assignment/AssignmentPage.vue') },
    { path: '/departments', component: () => import('./features/departments/DepartmentsPage.vue') },
    { path: '/roles', component: () => import('./features/roles/RolesPage.vue') },
    { path: '/tags', component: () => import('./features/tags/TagsPage.vue') },
    { path: '/plugins', component: () => import('./features/plugin-list/PluginsPage.vue') },
    { path: '/system', component: () => import('./features/system/SystemPage.vue') },
    { path: '/account', component: () => import('./features/account/AccountPage.vue') },
    { path: '/x/:plugin/:path(.*)', component: () => import('../../core/ui-kit/PluginPage.vue'), props: true },
    { path: '/:rest(.*)', redirect: '/inboxes' },
  ],
})
