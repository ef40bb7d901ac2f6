/** Words inside the files, in the language that the exporter reads. */
import { type Field, type FieldKey, isContactKey } from '../fields.ts'

interface Words {
  fields: Record<FieldKey, string>
  status: Record<'open' | 'closed' | 'archived' | 'deleted', string>
  rating: readonly string[]
  sender: Record<'in' | 'out' | 'note' | 'system', string>
  kind: Record<string, string>
  /** Of what went out. */
  fate: Record<'received' | 'queued' | 'sending' | 'sent' | 'failed' | 'uncertain', string>
  open: string
  recalled: string
  /** Before the subject of a letter, above its words. */
  about: string
  /** Before the words of what has not reached the customer, or perhaps has not. */
  unarrived(fate: string): string
  several: string
  none: string
  /** Before the name of a file that is not shown. */
  attached: string
  nothing: string
  emptyList: string
}

export const words: Record<'zh' | 'en', Words> = {
  zh: {
    fields: {
      id: '会话编号',
      contact: '客户',
      number: '客户号',
      name: '姓名',
      phone: '手机',
      email: '邮箱',
      wechat: '微信',
      qq: 'QQ',
      address: '地址',
      remark: '备注',
      contactFields: '其他客户资料',
      channel: '渠道',
      inbox: '渠道账号',
      agent: '客服',
      department: '部门',
      skillGroup: '技能组',
      status: '状态',
      category: '事项分类',
      tags: '标签',
      rating: '评价',
      ratingComment: '评价留言',
      summary: '服务小结',
      messages: '消息数',
      createdAt: '开始时间',
      firstReplyAt: '首次回复',
      lastMessageAt: '最后消息',
      closedAt: '结束时间',
      link: '查看会话',
      at: '发送时间',
      sender: '发送方',
      author: '发送人',
      subject: '主题',
      text: '内容',
      fate: '送达情况',
      files: '附件',
      fileLink: '附件链接',
    },
    status: { open: '进行中', closed: '已结束', archived: '已归档', deleted: '已删除' },
    rating: ['满意', '一般', '不满意'],
    sender: { in: '客户', out: '客服', note: '内部备注', system: '系统' },
    kind: { location: '位置', audio: '语音', video: '视频', image: '图片', call: '电话', event: '事件', remote: '文件', unsupported: '暂不支持的消息' },
    fate: { received: '', queued: '正在发送', sending: '正在发送', sent: '已发送', failed: '未送达', uncertain: '结果不明' },
    open: '打开',
    recalled: '（已撤回）',
    about: '主题：',
    unarrived: (fate) => `（${fate}）`,
    several: '多个',
    none: '未指定',
    attached: '附件：',
    nothing: '没有可以导出的会话。',
    emptyList: '列表中没有内容。',
  },
  en: {
    fields: {
      id: 'Conversation',
      contact: 'Contact',
      number: 'Contact no.',
      name: 'Name',
      phone: 'Phone',
      email: 'Email',
      wechat: 'WeChat',
      qq: 'QQ',
      address: 'Address',
      remark: 'Remark',
      contactFields: 'Other customer fields',
      channel: 'Channel',
      inbox: 'Inbox',
      agent: 'Agent',
      department: 'Department',
      skillGroup: 'Skill group',
      status: 'Status',
      category: 'Category',
      tags: 'Tags',
      rating: 'Rating',
      ratingComment: 'Rating comment',
      summary: 'Summary',
      messages: 'Messages',
      createdAt: 'Opened',
      firstReplyAt: 'First reply',
      lastMessageAt: 'Last message',
      closedAt: 'Ended',
      link: 'Open conversation',
      at: 'Sent',
      sender: 'From',
      author: 'Author',
      subject: 'Subject',
      text: 'Text',
      fate: 'Delivery',
      files: 'Attachments',
      fileLink: 'Attachment links',
    },
    status: { open: 'Open', closed: 'Ended', archived: 'Archived', deleted: 'Deleted' },
    rating: ['Good', 'Fair', 'Poor'],
    sender: { in: 'Customer', out: 'Agent', note: 'Internal note', system: 'System' },
    kind: {
      location: 'Location',
      audio: 'Voice',
      video: 'Video',
      image: 'Picture',
      call: 'Call',
      event: 'Event',
      remote: 'File',
      unsupported: 'Unsupported message',
    },
    fate: { received: '', queued: 'being sent', sending: 'being sent', sent: 'sent', failed: 'not delivered', uncertain: 'outcome unknown' },
    open: 'Open',
    recalled: '(taken back)',
    about: 'Subject: ',
    unarrived: (fate) => `(${fate}) `,
    several: 'several',
    none: 'none',
    attached: 'Attachment: ',
    nothing: 'There was no conversation to export.',
    emptyList: 'There is nothing in the list.',
  },
}

/** What stands above a column. */
export const headingOf = ({ language, labels }: { language: 'zh' | 'en'; labels?: Record<string, string> }, field: Field): string =>
  isContactKey(field) ? (labels?.[field] ?? field) : words[language].fields[field]
