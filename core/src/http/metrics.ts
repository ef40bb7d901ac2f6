/** Numbers for Prometheus. Labels are few and fixed: never an id, never a customer. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  registry: Registry
  requests: Histogram<'method' | 'route' | 'status'>
  messages: Counter<'direction' | 'channel'>
  sockets: Gauge<'namespace'>
  storage: Histogram<'operation' | 'outcome'>
  storageRetries: Counter
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    requests: new Histogram({
      name: 'huike_http_request_seconds',
      help: 'Time to answer an HTTP request',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2],
      registers,
    }),
    messages: new Counter({ name: 'huike_messages_total', help: 'Messages stored', labelNames: ['direction', 'channel'], registers }),
    sockets: new Gauge({ name: 'huike_sockets', help: 'Open sockets', labelNames: ['namespace'], registers }),
    storage: new Histogram({
      name: 'huike_storage_seconds',
      help: 'Time of the file storage; outcome is ok or what was wrong',
      labelNames: ['operation', 'outcome'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    storageRetries: new Counter({ name: 'huike_storage_retries_total', help: 'Requests to the file storage that were sent again', registers }),
  }
}
