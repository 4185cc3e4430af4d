// As whom PostgreSQL's programs run. PostgreSQL refuses to run as root, and containers often run everything as root.

import { spawnSync } from 'node:child_process';
import { RetryableError } from '../../destination.ts';
import { otherWarehouse } from './binaries.ts';

/** "nobody", everywhere: an id that needs no entry in /etc/passwd. */
const nobody = 65534;

/** How to run a program that must not be root. */
export interface Privileges {
  /** Words before the program's own. */
  readonly prefix: readonly string[];
  /** Whom the data folder must belong to; undefined where it is the user that runs the bridge. */
  readonly owner: number | undefined;
}

/** For this user: nothing to do for an ordinary one. Throws RetryableError where root cannot step down. */
export function findPrivileges(program: string): Privileges {
  if (process.getuid?.() !== 0) return { prefix: [], owner: undefined };
  const ways: readonly Privileges[] = [
    // Steps down, and keeps the one capability with which that user may still enter root's folders. Without
    // no_setuid_fixup access(2) would judge by the real user and refuse.
    {
      prefix: [
        'setpriv',
        `--reuid=${nobody}`,
        `--regid=${nobody}`,
        '--clear-groups',
        '--securebits=+no_setuid_fixup',
        '--inh-caps=+dac_override',
        '--ambient-caps=+dac_override',
      ],
      owner: nobody,
    },
    // A user namespace in which root is not root. Docker's default seccomp profile refuses it.
    { prefix: ['unshare', '-U'], owner: undefined },
  ];
  const way = ways.find(({ prefix }) => run([...prefix, program, '--version']));
  if (way) return way;
  throw new RetryableError(
    'PostgreSQL does not run as root, and neither setpriv nor unshare could step down',
    {
      hint: `Run the bridge as an ordinary user. ${otherWarehouse}`,
    },
  );
}

/** Words before a program that must end when this process ends, however it ends; none where the system cannot. */
export function endWithParent(): readonly string[] {
  const prefix = ['setpriv', '--pdeathsig', 'INT'];
  return process.platform === 'linux' && run([...prefix, 'true']) ? prefix : [];
}

function run([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}
