/** What the forms of exports are refused for, in the reader's words and at the field where it stands. */
import { HubError, type HubErrorCode } from '@huike/core/sdk/errors.ts'

const texts = {
  zone: { zh: '没有这个时区，请填写如 Asia/Shanghai。', en: 'There is no such time zone. Enter one such as Asia/Shanghai.' },
  colleague: { zh: '所选同事中有人无权打开这个文件。', en: 'One of the chosen colleagues may not open this file.' },
  bin: {
    zh: '回收站里的记录不能导出，请先恢复，或去掉“已删除”这个条件。',
    en: 'What lies in the recycle bin is not exported: restore it first, or leave the status “deleted” out.',
  },
  filter: {
    zh: '筛选条件里有现在没有的客户资料（可能对应的插件已停用或字段已删除），请去掉这个条件再导出。',
    en: 'The filter asks for a customer field that there is not now: its plugin may be switched off, or the field deleted. Leave it out.',
  },
  timeless: { zh: '这个列表没有时间，不能按上一天、周、月导出。', en: 'This list knows no time: it cannot be narrowed to the day, week or month before.' },
  schedules: { zh: '你已有 20 个定时导出，请先删除不用的。', en: 'You have 20 schedules. Delete one that you no longer need.' },
  templates: { zh: '你的模板已满，请先删除不用的。', en: 'You have as many templates as there can be. Delete one that you no longer need.' },
  destinations: { zh: '目的地已满 50 个，请先删除不用的。', en: 'There are 50 destinations, the most there can be. Delete one first.' },
  busy: { zh: '你已有三个导出正在进行，请等待其中一个完成。', en: 'Three of your exports are running already. Wait for one to finish.' },
  unseen: {
    zh: '文件里有你无权查看的客户个人信息，不能下载或发送。',
    en: 'The file shows personal data that you may not see: you cannot download or send it.',
  },
  secretKey: { zh: '请填写私有密钥。', en: 'Enter the secret key.' },
} as const

export const refusal = (code: HubErrorCode, message: string, text: keyof typeof texts, path?: string, more: object = {}): HubError =>
  new HubError(code, message, { ...(path ? { path } : {}), text: texts[text], ...more })
