// What a disk holds after the power went, made from what shim.c noted.
//
// Certain is only what an fsync that succeeded covers: of a file, its bytes and its size when the fsync began; of a
// directory, its names at that time. (A name may last although nobody synced its directory; POSIX does not promise it,
// so here it is left to chance, also for a file that was itself synced.) Of everything later, chance decides: each sector
// of a write, each truncation, each name that was made, removed or changed, for itself, so that later ones may last
// where earlier ones do not. A sector is written whole or not at all, and a write that ends within one does not harm the
// rest of it, as SQLite supposes (its "powersafe overwrite"). What lies between the bytes that lasted is zeros.

import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Which of the changes that nothing made certain have lasted. `random`: from 0 to 1, asked for each of them. */
export interface Chance {
  readonly random: () => number;
  /** Of lasting: 0 is a disk that holds back all, 1 is a kill without a power loss. */
  readonly share: number;
  /** 512 or 4096 bytes. */
  readonly sectorBytes: number;
}

type FileChange =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

type NameChange =
  | { readonly kind: 'add'; readonly name: string; readonly node: Node }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly node: Node };

/** In the order in which they were made. */
class Changes<Change> {
  certain: Change[] = [];
  uncertain: Change[] = [];

  /** What was there when the fsync began is certain. */
  settle(count: number): void {
    this.certain.push(...this.uncertain.splice(0, count));
  }

  /** Syncs that began and have not ended count from the start of `uncertain`, so an end shifts the others. */
  readonly begun = new Map<bigint, number>();

  begin(sync: bigint): void {
    this.begun.set(sync, this.uncertain.length);
  }

  end(sync: bigint): void {
    const count = this.begun.get(sync) ?? 0;
    this.begun.delete(sync);
    this.settle(count);
    for (const [other, at] of this.begun) this.begun.set(other, Math.max(0, at - count));
  }
}

interface FileNode {
  readonly kind: 'file';
  readonly content: Buffer;
  readonly changes: Changes<FileChange>;
}

interface FolderNode {
  readonly kind: 'folder';
  readonly names: ReadonlyMap<string, Node>;
  readonly changes: Changes<NameChange>;
}

type Node = FileNode | FolderNode;

const headerBytes = 32;

/** A folder, and what a process did to it. */
export class Disk {
  readonly #folder: string;
  readonly #nodes = new Map<bigint, Node>();
  readonly #root: FolderNode;
  /** Fsyncs of files that succeeded. */
  syncs = 0;

  /** What the folder holds now is certain. Call it while nothing writes to it. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#root = this.#read(folder) as FolderNode;
  }

  /** Takes in what the shim noted since. */
  apply(journal: Buffer): void {
    let at = 0;
    // A record that the kill cut short is of a change that was not made.
    while (at + headerBytes <= journal.length) {
      const kind = String.fromCharCode(journal.readUInt32LE(at));
      const pathBytes = journal.readUInt32LE(at + 4);
      const inode = journal.readBigUInt64LE(at + 8);
      const offset = journal.readBigUInt64LE(at + 16);
      const dataBytes = Number(journal.readBigUInt64LE(at + 24));
      const dataAt = at + headerBytes + pathBytes;
      if (dataAt + dataBytes > journal.length) return;
      const path = journal.toString('utf8', at + headerBytes, dataAt);
      this.#applyOne(kind, { path, inode, offset, data: journal.subarray(dataAt, dataAt + dataBytes) });
      at = dataAt + dataBytes;
    }
  }

  /** Puts in the folder's place what the power loss has left of it. */
  losePower(chance: Chance): void {
    for (const name of readdirSync(this.#folder)) {
      rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
    writeNames(this.#folder, this.#root, chance, new Map());
  }

  #read(path: string): Node {
    const status = statSync(path, { bigint: true });
    const node: Node = status.isDirectory()
      ? {
          kind: 'folder',
          names: new Map(readdirSync(path).map((name) => [name, this.#read(join(path, name))])),
          changes: new Changes<NameChange>(),
        }
      : { kind: 'file', content: readFileSync(path), changes: new Changes<FileChange>() };
    this.#nodes.set(status.ino, node);
    return node;
  }

  #applyOne(
    kind: string,
    { path, inode, offset, data }: { path: string; inode: bigint; offset: bigint; data: Buffer },
  ): void {
    const node = this.#nodes.get(inode);
    switch (kind) {
      case 'c': {
        this.#add(path, inode, {
          kind: 'file',
          content: Buffer.alloc(0),
          changes: new Changes<FileChange>(),
        });
        return;
      }
      case 'm': {
        this.#add(path, inode, {
          kind: 'folder',
          names: new Map(),
          changes: new Changes<NameChange>(),
        });
        return;
      }
      case 'l':
        this.#add(path, inode, fileOf(node));
        return;
      case 'w':
        fileOf(node).changes.uncertain.push({ kind: 'write', offset: Number(offset), data });
        return;
      case 't':
        fileOf(node).changes.uncertain.push({ kind: 'truncate', size: Number(offset) });
        return;
      case 'b':
        return node?.changes.begin(offset);
      case 'e':
        if (node?.kind === 'file') this.syncs++;
        return node?.changes.end(offset);
      case 'u':
        this.#parentOf(path).changes.uncertain.push({ kind: 'remove', name: basename(path) });
        return;
      case 'r': {
        const to = data.toString('utf8');
        if (node === undefined || dirname(to) !== dirname(path)) {
          throw new Error(`A rename from folder to folder is not modelled: ${path}`);
        }
        const names = { from: basename(path), to: basename(to) };
        this.#parentOf(path).changes.uncertain.push({ kind: 'rename', ...names, node });
        return;
      }
      default:
        throw new Error(`The journal says ${JSON.stringify(kind)}`);
    }
  }

  #add(path: string, inode: bigint, node: Node): void {
    this.#nodes.set(inode, node);
    this.#parentOf(path).changes.uncertain.push({ kind: 'add', name: basename(path), node });
  }

  /** As the process sees it: with every change, certain or not. */
  #parentOf(path: string): FolderNode {
    let folder = this.#root;
    const names = dirname(path).slice(this.#folder.length).split('/').filter(Boolean);
    for (const name of names) {
      const { certain, uncertain } = folder.changes;
      const next = namesAfter(folder, [...certain, ...uncertain]).get(name);
      if (next?.kind !== 'folder') throw new Error(`The journal names ${path}, whose folder it never made`);
      folder = next;
    }
    return folder;
  }
}

function fileOf(node: Node | undefined): FileNode {
  if (node?.kind !== 'file') throw new Error('The journal names a file that it never made');
  return node;
}

/** `written`: where each file is by now; a second name of it is a link. */
function writeNames(path: string, folder: FolderNode, chance: Chance, written: Map<FileNode, string>): void {
  const { certain, uncertain } = folder.changes;
  const lasting = uncertain.filter(() => chance.random() < chance.share);
  for (const [name, node] of namesAfter(folder, [...certain, ...lasting])) {
    const place = join(path, name);
    if (node.kind === 'folder') {
      mkdirSync(place, { mode: 0o700 });
      writeNames(place, node, chance, written);
      continue;
    }
    const otherName = written.get(node);
    if (otherName === undefined) writeFileSync(place, contentOf(node, chance), { mode: 0o600 });
    else linkSync(otherName, place);
    written.set(node, place);
  }
}

function namesAfter(folder: FolderNode, changes: readonly NameChange[]): Map<string, Node> {
  const names = new Map(folder.names);
  for (const change of changes) {
    if (change.kind === 'add') names.set(change.name, change.node);
    else if (change.kind === 'remove') names.delete(change.name);
    else {
      names.delete(change.from);
      names.set(change.to, change.node);
    }
  }
  return names;
}

function contentOf({ content, changes }: FileNode, { random, share, sectorBytes }: Chance): Buffer {
  const file = new GrowingBuffer(content);
  for (const change of changes.certain) {
    if (change.kind === 'truncate') file.truncate(change.size);
    else file.write(change.data, change.offset);
  }
  for (const change of changes.uncertain) {
    if (change.kind === 'truncate') {
      if (random() < share) file.truncate(change.size);
      continue;
    }
    const { data, offset } = change;
    for (let from = 0; from < data.length;) {
      const to = Math.min(data.length, from + sectorBytes - ((offset + from) % sectorBytes));
      if (random() < share) file.write(data.subarray(from, to), offset + from);
      from = to;
    }
  }
  return file.bytes;
}

/** A file's bytes; what was never written within it is zeros. */
class GrowingBuffer {
  #buffer: Buffer;
  #size: number;

  constructor(content: Buffer) {
    this.#buffer = Buffer.from(content);
    this.#size = content.length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  write(data: Buffer, offset: number): void {
    this.#reserve(offset + data.length);
    data.copy(this.#buffer, offset);
    this.#size = Math.max(this.#size, offset + data.length);
  }

  truncate(size: number): void {
    this.#reserve(size);
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    this.#size = size;
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(size, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }
}
