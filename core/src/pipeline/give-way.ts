/** Customers' messages come first: how other work of the same process lets them pass. */
import { cpus } from 'node:os'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Env } from '../config/env.ts'
import type { Intake } from './intake.ts'

/** Above this share of its time the process has no more to give. */
const fullyBusy = 0.8
/** It is measured over at least so long. */
const windowMs = 50
/** Then, for each millisecond that a listener takes, customers' messages get so many … */
const courtesy = 9
/** … but never more than this in one go. */
const mostCourtesyMs = 200

/** A message that is being taken in is waited for, before each step at most so long: one message comes after another. */
const patienceMs = 5
/** For an event as many times as long as it took: a hundred of them stay well below a second. */
const patience = 8

/** Where customers' messages come in; a process that is no web takes in none. */
type WayIn<What extends keyof Intake = 'busy'> = { intake: Pick<Intake, What>; env: { roles: Env['roles'] } }

let window = { at: performance.now(), used: performance.eventLoopUtilization(), full: false }

/** A machine that has less than this left has no more to give. */
const spare = 0.1
/** It is asked at most so often. */
const machineMs = 250

/** Milliseconds of all processors so far. */
interface MachineTime {
  idle: number
  all: number
}
const machineTime = (): MachineTime => {
  const times = cpus().map((cpu) => cpu.times)
  const idle = times.reduce((sum, each) => sum + each.idle, 0)
  return { idle, all: times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle) }
}
/** Between two looks the processors rested hardly at all. */
export const wasFull = (before: MachineTime, after: MachineTime): boolean => after.idle - before.idle < spare * (after.all - before.all)

let machine = { at: Number.NEGATIVE_INFINITY, time: { idle: 0, all: 0 }, full: false }

/** Messages of a worker's hub come in through webs, on the same machine perhaps: then what the worker takes, they lack (ADR 66). */
function machineIsFull(at: number): boolean {
  if (at - machine.at >= machineMs) {
    const time = machineTime()
    machine = { at, time, full: machine.at > Number.NEGATIVE_INFINITY && wasFull(machine.time, time) }
  }
  return machine.full
}

/** Customers' messages come in, and there is no time for them and for other work. */
function crowded(hub: WayIn, at: number): boolean {
  if (!hub.env.roles.web) return machineIsFull(at)
  if (at - window.at >= windowMs) {
    const used = performance.eventLoopUtilization()
    window = { at, used, full: performance.eventLoopUtilization(used, window.used).utilization > fullyBusy }
  }
  return window.full && hub.intake.busy()
}

/** For listeners, before each step. Customers' messages first: when there is no time for both, listeners hear of them a little later, and none is left out. */
export async function giveWay(hub: WayIn<'busy' | 'inHand'>, tookMs = 0, now = () => performance.now()): Promise<void> {
  const at = now()
  if (crowded(hub, at)) await sleep(Math.min(mostCourtesyMs, Math.ceil(tookMs * courtesy)))
  else await nextTurn()
  // Nor does a message that has just come wait for more than the event that was begun before it.
  while (hub.intake.inHand() && now() - at < patienceFor(tookMs)) await sleep(1)
}

/** How long whoever took so many milliseconds waits at most for a message that is being taken in. */
export const patienceFor = (tookMs: number): number => (tookMs > 0 ? Math.min(patienceMs, tookMs * patience) : patienceMs)

/** What nobody waits for takes this part of the time at most, as long as messages come in. */
const quietShare = 0.2

/**
 * For work that nobody waits for (the index of words, the reports' sums), to be called after each small piece of it:
 * while messages come in, it rests in between.
 */
export function quietly(hub: WayIn): () => Promise<void> {
  let began = performance.now()
  return async () => {
    const tookMs = performance.now() - began
    if (hub.env.roles.web ? hub.intake.busy() : machineIsFull(performance.now())) await sleep(Math.min(mostCourtesyMs, tookMs * (1 / quietShare - 1)))
    else await nextTurn()
    began = performance.now()
  }
}
