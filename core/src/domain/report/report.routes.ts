/** The numbers behind the overview. */
import { Report, ReportQuery } from '../../../sdk/wire/report.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { overview } from './overview.ts'

export function reportRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/reports/overview',
    { config: { access: { permission: 'report.read' } }, schema: { querystring: ReportQuery, response: { 200: Report } } },
    async (request) => overview(hub, actorOf(request), request.query),
  )
}
