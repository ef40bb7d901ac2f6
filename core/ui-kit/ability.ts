/** The one ability of a page; the session fills it, `abilitiesPlugin` makes it reactive. */
import { createMongoAbility, type MongoAbility } from '@casl/ability'

export const ability: MongoAbility = createMongoAbility()
