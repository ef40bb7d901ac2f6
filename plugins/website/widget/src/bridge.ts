/**
 * What the loader (on the site's page) and the frame (the hub's) say to each other. The page keeps what must outlive it,
 * because browsers take storage away from frames of other sites; it asks the hub for nothing, because a strict page
 * lets it ask nobody.
 */
import type { ComposablePart } from '../../../../core/sdk/message-parts.ts'

/** What an admin set for this site; the frame brings it along. Texts that are empty are the widget's own, in the visitor's language. */
export interface Site {
  color: string
  position: 'left' | 'right'
  locale: string
  title: string
  greeting: string
  offlineText: string
  trackVisits: boolean
}

/** Written, and not yet taken by the hub. */
export interface Written {
  clientId: string
  parts: ComposablePart[]
  at: string
  /** Why the hub will not take it; sent again only when the visitor says so. */
  failure?: string
  contact?: Left
  /** Whom the page said its user was when it was written; without: the stranger of this browser. */
  user?: string
}
/** What somebody leaves when nobody is there. */
export interface Left {
  name: string
  address: string
  /** Not shown to people. */
  subject: string
}

export interface Page {
  url: string
  title: string
  referrer: string
}

export interface Init {
  token: string
  identity: string
  visitId: string
  written: Written[]
  /** The last answer this browser has seen. */
  seen: string
  /** False where the page may keep nothing: the talk ends with the page. */
  keeps: boolean
  open: boolean
}

export type ToFrame =
  | ({ huike: 'init' } & Init)
  /** A sign of life, or another page. */
  | { huike: 'page'; page: Page }
  | { huike: 'open' }
  | { huike: 'hide' }
  /** From another tab of the same browser, or what the page could not keep. */
  | { huike: 'token'; token: string }
  | { huike: 'seen'; seen: string }
  | { huike: 'written'; written: Written[] }
  | { huike: 'unkept' }
  /** What the page says of its user now; empty: nothing. */
  | { huike: 'identity'; identity: string }
  /** No other tab rings. */
  | { huike: 'ring' }

export type ToLoader =
  | { huike: 'ready'; site: Pick<Site, 'color' | 'position' | 'title' | 'trackVisits'>; ink: string; label: string }
  /** To be kept on the site's page, from the visitor's first word on. */
  | { huike: 'token'; token: string }
  | { huike: 'seen'; seen: string }
  | { huike: 'written'; written: Written[] }
  /** The hub believes the page's word about its user no longer: it is asked for a fresh one. */
  | { huike: 'expired' }
  | { huike: 'unread'; count: number }
  | { huike: 'ring'; id: string }
  | { huike: 'hide' }
