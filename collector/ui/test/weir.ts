// Starts the programs that were built (BIN names their folder) on ports and folders of their own.

import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const BIN = resolve(process.env.BIN ?? '../../target/debug');
const QUICKSTART = resolve(import.meta.dirname, '../../../examples/quickstart');

export const LISTENERS = ['netflow', 'ipfix', 'sflow', 'any'] as const;
export type Listener = (typeof LISTENERS)[number];

export interface Sent {
  flows: number;
  packets: number;
  bytes: number;
  channels: Record<string, { flows: number; packets: number; bytes: number }>;
}

/** One `weir standalone` on a copy of the quickstart, and the generators that send to it. */
export class Weir {
  readonly url: string;
  readonly #folder: string;
  readonly #apiPort: number;
  readonly #ports: Record<Listener, number>;
  readonly #arguments: readonly string[];
  readonly #children = new Set<ChildProcess>();
  #server: ChildProcess | undefined;

  private constructor(
    folder: string,
    apiPort: number,
    ports: Record<Listener, number>,
    more: readonly string[],
  ) {
    this.url = `http://127.0.0.1:${apiPort}`;
    this.#folder = folder;
    this.#apiPort = apiPort;
    this.#ports = ports;
    this.#arguments = more;
  }

  static async start(options: { slotLength?: string; token?: string } = {}): Promise<Weir> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-ui-'));
    const udp = await Promise.all(LISTENERS.map(freeUdpPort));
    const ports = Object.fromEntries(LISTENERS.map((name, index) => [name, udp[index]]));
    await copyQuickstart(join(folder, 'objects'), ports as Record<Listener, number>, options.slotLength);
    const more: string[] = [];
    if (options.token !== undefined) {
      const file = join(folder, 'token');
      await writeFile(file, options.token, { mode: 0o600 });
      more.push('--token-file', file);
    }
    const weir = new Weir(folder, await freeTcpPort(), ports as Record<Listener, number>, more);
    await weir.up();
    return weir;
  }

  /** Starts the server (again: same ports, same data) and waits until it is ready. */
  async up(): Promise<void> {
    const args = ['standalone', join(this.#folder, 'objects'), '--data', join(this.#folder, 'data')];
    this.#server = this.#spawn('weir', [
      ...args,
      '--listen',
      `127.0.0.1:${this.#apiPort}`,
      ...this.#arguments,
    ]);
    const log: Buffer[] = [];
    this.#server.stderr?.on('data', (data: Buffer) => log.push(data));
    this.#server.stdout?.resume();
    await until('weir to be ready', async () => {
      if (this.#server?.exitCode !== null) {
        throw new Error(`weir ended with ${this.#server?.exitCode}:\n${Buffer.concat(log)}`);
      }
      return (await fetch(`${this.url}/readyz`).catch(() => null))?.ok === true;
    });
  }

  async down(): Promise<void> {
    if (this.#server !== undefined) {
      await end(this.#server);
    }
  }

  /** Puts an object among those that the server watches, or another in its place. */
  async apply(name: string, yaml: string): Promise<void> {
    await writeFile(join(this.#folder, 'objects', `${name}.yaml`), yaml);
  }

  /** Sends exactly so many flows, and tells what they were. */
  async send(listener: Listener, protocol: string, flows: number): Promise<Sent> {
    const child = this.#generator(listener, protocol, [
      '--flows',
      `${flows}`,
      '--rate',
      '2000',
      '--seed',
      '7',
    ]);
    const out: Buffer[] = [];
    child.stdout?.on('data', (data: Buffer) => out.push(data));
    const code = await new Promise((done) => child.once('close', done));
    if (code !== 0) {
      throw new Error(`flow-generator ended with ${code}`);
    }
    return JSON.parse(Buffer.concat(out).toString()) as Sent;
  }

  /** Sends these datagrams in this order, from one port. */
  async sendRaw(listener: Listener, datagrams: readonly Buffer[]): Promise<void> {
    const socket = createSocket('udp4');
    for (const datagram of datagrams) {
      await new Promise<void>((done, fail) => {
        socket.send(datagram, this.#ports[listener], '127.0.0.1', (error) => (error ? fail(error) : done()));
      });
    }
    socket.close();
  }

  /** Sends until this weir is closed. */
  keepSending(listener: Listener, protocol: string, rate: number, exporters = 2): void {
    const child = this.#generator(listener, protocol, ['--rate', `${rate}`, '--exporters', `${exporters}`]);
    child.stdout?.resume();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map(end));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #generator(listener: Listener, protocol: string, more: readonly string[]): ChildProcess {
    const target = ['-t', '127.0.0.1', '-p', `${this.#ports[listener]}`, '--protocol', protocol];
    // Flows of up to a minute, as the README has exporters report them.
    const timeout = ['--active-timeout', '60s'];
    const child = this.#spawn('flow-generator', [...target, ...timeout, ...more]);
    child.stderr?.resume();
    return child;
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(join(BIN, program), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }
}

async function copyQuickstart(
  folder: string,
  ports: Record<Listener, number>,
  slotLength?: string,
): Promise<void> {
  await mkdir(folder);
  let collector = await readFile(join(QUICKSTART, 'collector.yaml'), 'utf8');
  for (const name of LISTENERS) {
    const given = new RegExp(`(\\{name: ${name},.*port: )\\d+`);
    if (!given.test(collector)) {
      throw new Error(`the quickstart has no listener ${name} of the form that this test rewrites`);
    }
    collector = collector.replace(given, `$1${ports[name]}`);
  }
  if (slotLength !== undefined) {
    collector = collector.replace('\nspec:\n', `\nspec:\n  slotLength: ${slotLength}\n`);
  }
  await writeFile(join(folder, 'collector.yaml'), collector);
  const profile = await readFile(join(QUICKSTART, 'zone1-profile.yaml'));
  await writeFile(join(folder, 'zone1-profile.yaml'), profile);
}

/** Asks again until the answer is yes, for at most half a minute. */
export async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await ask())) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const gone = new Promise((done) => child.once('close', done));
  child.kill('SIGTERM');
  await gone;
}

function freeTcpPort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? done(address.port) : fail(new Error('no port')),
      );
    });
  });
}

function freeUdpPort(): Promise<number> {
  return new Promise((done, fail) => {
    const socket = createSocket('udp6');
    socket.once('error', fail);
    socket.bind(0, () => {
      const { port } = socket.address();
      socket.close(() => done(port));
    });
  });
}
