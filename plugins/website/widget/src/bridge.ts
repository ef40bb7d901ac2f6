/** What the loader (on the site's page) and the frame (the hub's) say to each other. */
export type ToFrame =
  | { huike: 'init'; token: string; identity: string; visitId: string; locale: string; open: boolean }
  | { huike: 'open' }
  | { huike: 'hide' }
  | { huike: 'identify'; identity: string }

export type ToLoader =
  | { huike: 'ready' }
  /** To be kept on the site's page; empty = forget. */
  | { huike: 'token'; token: string }
  | { huike: 'unread'; count: number }
  | { huike: 'hide' }
