export const zh = {
  nav: { label: '管理导航', inboxes: '渠道接入', agents: '客服账号', departments: '部门与技能组', roles: '角色与权限', tags: '标签', plugins: '插件', system: '系统状态', pluginPages: '插件页面' },
  choices: { right: '右下角', left: '左下角', auto: '跟随浏览器', zh: '中文', en: '英文' },
  setup: { title: '欢迎使用汇客', text: '创建所有者账号，用它来邀请同事、接入渠道。', name: '您的姓名', passwordHint: '至少 10 个字符，越长越安全。', submit: '创建账号' },
  join: { title: '加入汇客', text: '{name}，您好！请为账号 {email} 设置密码。', submit: '设置密码并进入工作台', invalid: '邀请链接已失效，请联系管理员重新发送。' },
  inboxes: { text: '每个网站、公众号或邮箱是一个接入，客户从这里找到您。', add: '新增接入', empty: '还没有接入任何渠道', channel: '渠道', state: '状态', disable: '停用', enable: '启用', snippet: '安装代码', snippetHint: '把这一行放到网页 </body> 之前即可。', department: '接待部门', skillGroup: '接待技能组', everybody: '全体客服', preview: '效果预览' },
  agents: { text: '邀请同事，分配角色和部门。', invite: '邀请客服', edit: '编辑账号', empty: '还没有客服', roles: '角色', department: '部门', load: '接待量', state: '状态', pending: '待加入', newLink: '重新生成链接', disable: '停用', enable: '启用', disableAsk: '停用后 {name} 将立即退出登录，无法再使用。确定停用吗？', displayName: '对客户显示的名称', capacity: '同时接待上限', linkText: '把链接发给同事，7 天内有效，只能使用一次：' },
  departments: { text: '部门决定会话由谁接待、谁能看到；技能组可以跨部门。', tree: '部门', empty: '还没有部门', emptyGroups: '还没有技能组', newName: '新部门名称', parent: '上级部门', top: '顶级部门', skillGroups: '技能组', newGroup: '新技能组名称', members: '{count} 人', deleteAsk: '确定删除“{name}”吗？' },
  roles: { text: '每个角色能做什么、能看到多大范围。修改立即生效。', newName: '新角色名称', permission: '权限', agents: '{count} 人', deleteAsk: '确定删除角色“{name}”吗？', builtin: { owner: '所有者', admin: '管理员', supervisor: '主管', agent: '客服' }, scope: { own: '本人', department: '本部门', tree: '本部门及下级', all: '全部' }, field: { name: '姓名', phone: '电话', email: '邮箱' } },
  tags: { text: '系统标签由管理员设置，工作台中只能使用，不能修改或删除。', newName: '新标签名称', system: '系统标签', custom: '自定义标签', empty: '还没有标签', deleteAsk: '删除标签“{name}”会从所有客户身上移除它。确定删除吗？' },
  plugins: { text: '开关即时生效，无需重启。', empty: '没有安装插件', switchOn: '启用', switchOff: '停用', state: { running: '运行中', off: '已停用', broken: '出错' } },
  system: { text: '各部分的运行情况。', health: '健康状况', ok: '正常', down: '异常', about: '版本与资源', version: '版本', profile: '运行方式', profiles: { embedded: '内嵌（SQLite，单进程）', served: '服务（MySQL/MariaDB 与 Redis）' }, uptime: '已运行', memory: '内存', disk: '磁盘剩余', due: '待处理的工作', dueText: '数字持续增长说明有环节处理不过来。', part: { database: '数据库', redis: 'Redis', queue: '队列' }, work: { outbound: '待发送消息', deliveries: '待通知事件', parked: '暂存的来信', jobs: '后台任务', givenUp: '已放弃' } },
  account: { title: '我的账号', password: '修改密码', current: '当前密码', next: '新密码', browser: '登录设备', seen: '最近活动', here: '当前设备', end: '退出' },
}
