import { createRouter, createWebHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHistory('/workbench/'),
  routes: [
    { path: '/', redirect: '/conversations/mine' },
    {
      path: '/conversations/:group(mine|queue|open|starred|closed)/:id?',
      name: 'conversations',
      component: () => import('./features/shell/ConversationsPage.vue'),
    },
    { path: '/visitors', name: 'visitors', component: () => import('./features/visitors/VisitorsPage.vue') },
    { path: '/records', name: 'records', component: () => import('../../core/ui-kit/records/RecordsPage.vue') },
    { path: '/records/:id', name: 'record', component: () => import('./features/records/RecordPage.vue'), props: true },
    { path: '/contacts/:id', name: 'contact', component: () => import('./features/contacts/ContactPage.vue'), props: true },
    { path: '/x/:plugin/:path(.*)', component: () => import('../../core/ui-kit/PluginPage.vue'), props: true },
    { path: '/:rest(.*)', redirect: '/conversations/mine' },
  ],
})
