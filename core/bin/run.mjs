/** node core/bin/run.mjs FILE [ARG …]: prepares the checkout, then runs a script on the pinned Node. */
import { build, install, node, run } from './prepare.mjs'

install()
if (!process.argv.includes('--no-build')) build()
run(
  node,
  process.argv.slice(2).filter((arg) => arg !== '--no-build'),
)
