// A table that scrolls sideways where it has no room, by keyboard as well.

import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

interface DataTableProps {
  /** For who does not see it. */
  readonly label: string;
  readonly columns: readonly string[];
  /** In pixels. */
  readonly minWidth?: number;
  /** Table.Tr, one for each row. */
  readonly children: ReactNode;
}

export function DataTable({ label, columns, minWidth = 480, children }: DataTableProps) {
  return (
    <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column}>{column}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
