/** All plugins that come with the hub, as a start finds them. Needs the bundled plugins. */
import app from '../../plugins/app/plugin.ts'
import audit from '../../plugins/audit/plugin.ts'
import douyin from '../../plugins/douyin/plugin.ts'
import email from '../../plugins/email/plugin.ts'
import exporting from '../../plugins/export/plugin.ts'
import extraction from '../../plugins/extraction/plugin.ts'
import website from '../../plugins/website/plugin.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import { found } from './world.ts'

export const bundled = [app, audit, douyin, email, exporting, extraction, website, wechat].map((manifest) => found(manifest))
