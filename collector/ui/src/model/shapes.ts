// What the server answers, as /openapi.json describes it.

import type { Sign } from './stack';

export interface Channel {
  name: string;
  /** `#RRGGBB`. */
  color: string;
  sign: Sign;
  order: number;
  filter: string;
  sources: string[];
}

export interface TopSpec {
  element: string;
  orders: TopOrder[];
  size: number;
}

export type TopOrder = 'flows' | 'packets' | 'bytes';

export interface Profile {
  /** `namespace/name`, or `live`. */
  name: string;
  displayName: string;
  description: string;
  /** May be empty. */
  group: string;
  /** Made by weir itself: `live`. */
  builtIn: boolean;
  channels: Channel[];
  top: TopSpec[];
}

export interface TopTable {
  from: number;
  to: number;
  rows: { key: string; lower: number; upper: number }[];
  /** A key that is not listed has at most this sum. */
  absent: number;
  total: number;
  /** Whether the bounds separate the ranks. */
  exact: boolean;
}

/** One stream; counts since the aggregator first heard of it. */
export interface Exporter {
  listener: string;
  exporter: string;
  port: number;
  protocol: string;
  domain: number;
  agent?: string;
  edge: string;
  source: string;
  /** Of `received`, `expected`, `duplicates` and `missing`. */
  unit: string;
  /** `standard`, or in words what the sequence numbers count instead. */
  sequence: string;
  lastSeen: number;
  /** Absent while unknown. */
  samplingRate?: number;
  /** Its last flows referred to a sampler of which no rate is known. */
  rateUnknown?: boolean;
  clockSkew?: number;
  /** Template definitions read; of these, such as changed a known shape or contradict another port's. */
  templates: number;
  templateChanges: number;
  templateConflicts: number;
  /** records + optionsRecords + the sum of undecodable + waiting.records. */
  recordsReceived: number;
  records: number;
  optionsRecords: number;
  undecodable: Record<string, number>;
  waiting: { records: number; sets: number; bytes: number };
  /** What was wrong, by reason, whatever records it cost. */
  faults: Record<string, number>;
  uncountedSets: number;
  uncountedBytes: number;
  received: number;
  duplicates: number;
  reordered: number;
  /** received - duplicates + missing; absent, like `missing`, where the numbers tell nothing of loss. */
  expected?: number;
  missing?: number;
  missingRecords?: { records: number; estimated: boolean };
  restarts: number;
  epoch: { since: number; expected?: number; missing?: number };
  /** sFlow. */
  samples?: { received: number; expected: number; missing: number; exporterDrops: number };
  /** sFlow. */
  interfaces?: Interface[];
  /** What the exporter says that it lost itself. */
  declared?: Declared;
}

export interface Declared {
  ignoredPackets: number;
  ignoredBytes: number;
  notSentFlows: number;
  notSentPackets: number;
  notSentBytes: number;
}

/** What an sFlow agent tells of one of its interfaces. */
export interface Interface {
  /** 0 interfaces (index is an ifIndex), 1 VLANs, 2 physical entities, 3 logical ones. */
  class: number;
  index: number;
  name?: string;
  /** Bits per second. */
  speed?: number;
  adminUp?: boolean;
  operUp?: boolean;
  lastSeen: number;
  /** 0: none. */
  statedRate: number;
  effectiveRate?: number;
  rateDiffers: boolean;
  octets?: OctetsBeside;
}

/** OctetsBeside between two counter samples: by the counters, and by the scaled samples of that time. */
export interface OctetsBeside {
  since: number;
  until: number;
  countedIn: number;
  sampledIn: number;
  countedOut: number;
  sampledOut: number;
}

export interface ExporterList {
  exporters: Exporter[];
  listeners: Listener[];
  edges: Edge[];
}

export interface Listener {
  edge: string;
  listener: string;
  datagrams: number;
  kernelDrops: number;
  /** The same by socket. */
  socketDrops: number[];
  /** TCP connections that are open. */
  connections: number;
  /** Those that were closed, by reason. */
  closed: Record<string, number>;
  rejected: Record<string, number>;
}

export interface Edge {
  edge: string;
  spool: string;
  /** The number of the last block applied. */
  block: number;
  made: number;
  generation: string;
  droppedBlocks: number;
  droppedRecords: number;
  /** Both by reason. */
  dropped: Record<string, { blocks: number; records: number }>;
}

/** What one stream's templates and option tables say. */
export interface Facts {
  listener: string;
  exporter: string;
  port: number;
  protocol: string;
  domain: number;
  edge: string;
  templates: Template[];
  rates: Rate[];
  interfaces: NamedInterface[];
  vrfs: Named[];
  samplers: Named[];
}

export interface Template {
  id: number;
  options: boolean;
  fields: number;
  /** Unix ms. */
  announced: number;
  /** Before the edge's last start, and not since. */
  restored: boolean;
}

export interface Rate {
  domain: number;
  /** `any`, `sampler N`, `interface N` or `template N`. */
  of: string;
  rate: number;
  told: number;
  restored: boolean;
}

export interface NamedInterface {
  index: number;
  name?: string;
  description?: string;
}

export interface Named {
  id: number;
  name: string;
}
