export const zh = {
  nav: { conversations: '会话', visitors: '访客', label: '主导航', palette: '快速跳转', shortcuts: '快捷键', account: '我的账号', toAdmin: '管理后台' },
  groups: { label: '会话分组', mine: '我的会话', queue: '排队中', open: '进行中', starred: '星标', closed: '已结束' },
  list: {
    label: '会话列表', sortMessage: '最新消息', sortCustomer: '客户新消息', sort: '排序', search: '搜索已加载的会话', unread: '{count} 条未读', recalled: '消息已撤回', youSaid: '我：',
    emptyMine: '还没有分给您的会话', emptyMineHint: '保持在线，新会话会自动分配给您。', emptyQueue: '没有排队的客户', emptyOpen: '没有进行中的会话', emptyStarred: '没有星标会话', emptyClosed: '没有已结束的会话', emptySearch: '没有匹配的会话', failed: '列表没有加载出来',
    kind: { image: '[图片]', file: '[文件]', audio: '[语音]', video: '[视频]', location: '[位置]', link: '[链接]', unsupported: '[暂不支持的消息]', event: '', text: '', recalled: '[消息已撤回]' },
  },
  conversation: {
    pick: '请选择一个会话', pickHint: '按 J / K 在列表中上下移动，按 Ctrl K 快速跳转。', take: '接入', transfer: '转接', close: '结束会话', star: '加星标', unstar: '取消星标', block: '拉黑', more: '更多操作', loadOlder: '加载更早的消息', beginning: '会话从这里开始', newBelow: '有新消息', copyAll: '复制全部聊天记录', copyLink: '复制会话链接',
    closeConfirm: '结束后双方都不能再在此会话中发送消息。确定结束吗？', blockConfirm: '拉黑后该客户将无法再发来消息，会话会立即结束。可以在客户资料中解除。确定拉黑吗？', transferTo: '转接给', nobodyOnline: '没有其他同事在线', transferred: '已转接', closedBar: '会话已结束', typing: '客户正在输入：', typingPlain: '客户正在输入…', colleagueTyping: '{name} 正在回复…', viewing: '{names} 也在查看', today: '今天', yesterday: '昨天', notFound: '会话不存在，或您无权查看', toList: '返回列表', toPanel: '客户资料', label: '聊天消息',
  },
  message: {
    sending: '发送中', queued: '等待发送', sent: '已发送', delivered: '已送达', read: '已读', failed: '发送失败', uncertain: '不确定对方是否收到', retry: '重新发送', recall: '撤回', reply: '回复', copy: '复制文字', recalledMine: '您撤回了一条消息', recalledOther: '一条消息已被撤回', note: '内部备注', unsupported: '暂不支持显示的消息', showRaw: '查看原始内容', download: '下载', actions: '消息操作', replyTo: '回复：', image: '查看图片', voice: '语音 {seconds} 秒', discard: '删除', you: '我', system: '系统', assistant: '{name}（代 {owner} 回复）',
  },
  event: {
    conversation_routed: '会话已分配给 {to}', conversation_forced: '所有同事都忙，会话已分配给 {to}', conversation_taken: '{to} 接入了会话', conversation_transferred: '{by} 将会话转接给 {to}', conversation_away: '{by} 离开，会话转给 {to}', conversation_returned: '会话回到排队', conversation_closed: '{by} 结束了会话', conversation_closed_customer: '客户结束了会话', conversation_closed_timeout: '会话超时，自动结束', conversation_closed_blocked: '{by} 拉黑了客户，会话结束', conversation_rated: '客户评价：{rating}', unknown: '系统消息', rating1: '满意', rating2: '一般', rating3: '不满意', somebody: '同事',
  },
  composer: {
    label: '输入框', placeholder: '输入消息，Enter 发送，Shift + Enter 换行', notePlaceholder: '内部备注，客户看不到', send: '发送', reply: '回复', note: '备注', emoji: '表情', image: '图片', file: '文件', cancelReply: '取消回复', uploading: '正在上传 {name}…', drop: '松开即可发送文件', tooLong: '超出 {count} 字', notAllowed: '您可以查看，但没有在此会话中回复的权限。', queued: '接入后即可回复。', ended: '会话已结束，客户再次来信会开启新会话。', channelOff: '该渠道已停用，暂时无法发送。',
  },
  contact: {
    title: '客户资料', nickname: '昵称', nicknameHint: '自动编号 #{number}', remark: '备注', remarkHint: '记下客户特征，便于区分', name: '姓名', phone: '电话', email: '邮箱', masked: '已脱敏', tags: '标签', addTag: '添加标签', newTag: '新建“{name}”', removeTag: '移除标签 {name}', noTags: '还没有标签', trail: '浏览轨迹', noTrail: '没有浏览记录', history: '历史会话', noHistory: '没有更早的会话', source: '来源', firstSeen: '首次来访', blocked: '已拉黑', unblock: '解除拉黑', verified: '身份已验证', saveFailed: '没有保存成功', systemTag: '系统标签', from: '来自 {site}', pages: '{count} 页', collapse: '收起资料', expand: '展开资料',
  },
  visitors: { title: '访客', online: '在线访客', talking: '对话中', talked: '对话过', left: '已离开', visitor: '访客', page: '当前页面', source: '来源', device: '设备', address: 'IP', since: '到访时间', pages: '浏览页数', emptyOnline: '当前没有在线访客', emptyTalking: '没有正在对话的访客', emptyTalked: '今天还没有对话过的访客', emptyLeft: '今天没有未开口离开的访客', direct: '直接访问', anonymous: '匿名访客', trail: '浏览轨迹' },
  presenceMenu: { label: '我的状态', awayTitle: '离开前转交会话', awayText: '您有 {count} 个进行中的会话。选择一位在线同事接手，或保留给自己。', handOver: '转交', keep: '保留', nobody: '没有其他同事在线，会话将继续保留在您名下。', signOutConfirm: '确定要退出登录吗？' },
  palette: { placeholder: '搜索会话、跳转或执行操作', empty: '没有匹配的结果', conversations: '会话', actions: '操作', goMine: '打开我的会话', goQueue: '打开排队中', goVisitors: '打开访客', themeLight: '切换到浅色', themeDark: '切换到深色', presence: '状态切换为 {presence}', hint: '↑↓ 选择，Enter 执行，Esc 关闭' },
  shortcuts: { title: '键盘快捷键', palette: '快速跳转', help: '显示快捷键', next: '下一个会话', previous: '上一个会话', reply: '写回复', note: '写备注', star: '加星标', close: '结束会话', transfer: '转接', take: '接入', send: '发送', newline: '换行', nextUnread: '下一个未读会话' },
  notice: { newMessage: '{name} 发来新消息', assigned: '新会话：{name}', sound: '声音提醒', desktop: '桌面通知' },
}
