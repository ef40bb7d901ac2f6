import { h, ref } from '/ui/shared/vue.js'

const Panel = {
  props: ['conversation', 'contact'],
  setup(props) {
    const points = ref()
    fetch(`/api/x/loyalty/points/${props.contact.id}`)
      .then((response) => response.json())
      .then((body) => {
        points.value = body.points
      })
    return () => h('section', { 'data-testid': 'loyalty' }, `会员积分：${points.value ?? '…'}`)
  },
}

export default { slots: [{ slot: 'conversation.panel', id: 'points', component: Panel, permission: 'loyalty.points.read' }] }
