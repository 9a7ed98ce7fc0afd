// The interfaces of sFlow agents, in words.

import type { Exporter, Interface } from './shapes';
import { cell, percent } from './units';

/** One interface, and whose it is. */
export interface AgentInterface extends Interface {
  agent: string;
  key: string;
}

/** Every interface of every agent. */
export function ofAgents(streams: readonly Exporter[]): AgentInterface[] {
  return streams.flatMap((stream) => {
    const agent = stream.agent ?? stream.exporter;
    const of = [stream.edge, stream.listener, stream.exporter, stream.port, agent, stream.domain].join(' ');
    const row = (one: Interface) => ({ ...one, agent, key: `${of} ${one.class} ${one.index}` });
    return (stream.interfaces ?? []).map(row);
  });
}

const CLASSES = ['', 'VLAN ', 'entity ', 'logical '];

/** `3 eth0`, `VLAN 12`. */
export function nameOf({ class: kind, index, name }: Pick<Interface, 'class' | 'index' | 'name'>): string {
  return `${CLASSES[kind] ?? `class ${kind}, `}${index} ${name ?? ''}`.trimEnd();
}

export function speed({ speed: bits }: Pick<Interface, 'speed'>): string {
  return bits === undefined ? 'unknown' : cell('traffic', 'rate', bits);
}

export function state({ adminUp, operUp }: Pick<Interface, 'adminUp' | 'operUp'>): string {
  if (adminUp === undefined || operUp === undefined) {
    return 'unknown';
  }
  return operUp ? 'up' : adminUp ? 'down' : 'switched off';
}

/** What the agent's own count says of the rate; empty while too few samples tell. */
export function rateInEffect({ effectiveRate }: Pick<Interface, 'effectiveRate'>): string {
  return effectiveRate === undefined
    ? ''
    : `in effect 1 in ${effectiveRate.toLocaleString('en-US', { maximumFractionDigits: 0 })}`;
}

/** The octets by the counter, and the share of them that the scaled samples make. */
export function beside({ octets }: Pick<Interface, 'octets'>, way: 'In' | 'Out'): [string, string] {
  if (octets === undefined) {
    return ['–', ''];
  }
  const counted = octets[`counted${way}`];
  const sampled = octets[`sampled${way}`];
  const share = counted > 0 ? ` (${percent(sampled, counted)})` : '';
  return [cell('traffic', 'sum', counted), `${cell('traffic', 'sum', sampled)} by samples${share}`];
}
