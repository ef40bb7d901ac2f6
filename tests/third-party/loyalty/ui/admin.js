import { h, ref } from '/ui/shared/vue.js'

const Page = {
  setup() {
    const items = ref([])
    fetch('/api/x/loyalty/top')
      .then((response) => response.json())
      .then((body) => {
        items.value = body.items
      })
    return () => h('div', { class: 'page' }, [h('h1', '会员积分'), h('p', { 'data-testid': 'loyalty-count' }, `共 ${items.value.length} 位客户有积分`)])
  },
}

export default { pages: [{ path: 'points', title: { zh: '会员积分', en: 'Loyalty points' }, component: Page, permission: 'loyalty.points.read' }] }
