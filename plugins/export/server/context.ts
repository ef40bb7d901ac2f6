import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Static, Type } from 'typebox'

export const pluginSettings = Type.Object({
  cap: Type.Integer({
    minimum: 1,
    maximum: 200_000,
    default: 20_000,
    title: '单次导出上限（条）|Most conversations in one export',
    description: '超过时须缩小范围、分批导出。|A larger result is refused: narrow it and export in several turns.',
  }),
  keepDays: Type.Integer({
    minimum: 1,
    maximum: 90,
    default: 7,
    title: '文件保留天数|Days a file is kept',
    description: '到期后文件自动删除，导出记录仍在。|The file is deleted then; the line in the list stays.',
  }),
  allowPrivateAddresses: Type.Boolean({
    default: false,
    title: '允许内网的对象存储|Allow buckets inside the network',
    description:
      '导出目的地可以填写内网地址和 http，仅在对象存储部署在内网时打开。|Destinations may have inner addresses and plain http. Only for a storage of your own network.',
  }),
})

/** The context with this plugin's settings. */
export type Ctx = PluginContext<Static<typeof pluginSettings>>
