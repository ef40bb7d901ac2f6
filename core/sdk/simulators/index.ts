/**
 * Servers that behave as platforms do, for tests and for trying things out: ours, written from the public documents and
 * from what integrators report, not the platforms'. They share no code with a plugin, so that a fault of one cannot hide in
 * the other, and they can be made to misbehave as the real ones do.
 */
export * from './douyin-server.ts'
export * from './wechat-server.ts'
