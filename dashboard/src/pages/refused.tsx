// Webhooks that were turned away, by their reason, and what to mend.

import { Loader, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { mendOfRefusal } from '../../../src/http/refusal-mends.ts';
import { diagnosisQuery } from '../api/queries.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Moment } from '../parts/moment.tsx';
import { Failure } from '../parts/trouble.tsx';

export function RefusedPage() {
  const { data, error, isPending } = useQuery(diagnosisQuery);
  const refusals = data?.webhooks.refusals ?? [];
  return (
    <Stack>
      <Title order={2}>Refused</Title>
      {error && <Failure error={error} />}
      {isPending && <Loader role="status" aria-label="Asking the bridge" />}
      {data && (
        <Text size="sm">
          Since the bridge was started, <Moment at={data.startedAt} />. Of what was refused nothing is kept
          but these counts.
        </Text>
      )}
      {data && refusals.length === 0 && <Text>No webhook was turned away.</Text>}
      {refusals.length > 0 && (
        <DataTable
          label="Refused webhooks by reason"
          columns={['Reason', 'Answer', 'How many', 'Last', 'What to do']}
          minWidth={640}
        >
          {refusals.map((refusal) => (
            <Table.Tr key={`${refusal.status} ${refusal.reason}`}>
              <Table.Td>{refusal.reason}</Table.Td>
              <Table.Td>{refusal.status}</Table.Td>
              <Table.Td>{refusal.count.toLocaleString()}</Table.Td>
              <Table.Td>
                <Moment at={refusal.at} />
              </Table.Td>
              <Table.Td>{mendOfRefusal(refusal)}</Table.Td>
            </Table.Tr>
          ))}
        </DataTable>
      )}
    </Stack>
  );
}
