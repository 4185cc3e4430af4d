// Every type of event that FusionAuth sends, and what it becomes here.

import { Badge, Group, Loader, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { TypeDocument } from '../../../src/mapping/catalogue-document.ts';
import { catalogueQuery, diagnosisQuery } from '../api/queries.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Failure, Trouble } from '../parts/trouble.tsx';

export function CataloguePage() {
  const { data, error, isPending } = useQuery(catalogueQuery);
  const { data: diagnosis } = useQuery(diagnosisQuery);
  const [text, setText] = useState('');
  const unknown = diagnosis?.webhooks.unknownTypes ?? [];
  const chosen = data?.types.filter((entry) => fits(entry, text)) ?? [];
  return (
    <Stack>
      <Title order={2}>Catalogue</Title>
      {error && <Failure error={error} />}
      {isPending && <Loader role="status" aria-label="Reading the catalogue" />}
      {unknown.length > 0 && (
        <Trouble
          title={`Types came that this version does not know, and that become nothing: ${unknown.join(', ')}`}
          fix="Update the bridge; they are kept, and can be replayed then"
        />
      )}
      {data && (
        <>
          <TextInput
            label="Find a type"
            placeholder="login"
            w={{ base: '100%', sm: 320 }}
            value={text}
            onChange={({ currentTarget }) => setText(currentTarget.value)}
          />
          <Text size="sm" c="dimmed" role="status">
            {chosen.length} of {data.types.length}
          </Text>
          <DataTable
            label="Types of events"
            columns={['Type', 'Becomes', 'Sent when', 'Since', 'Plan']}
            minWidth={760}
          >
            {chosen.map((entry) => (
              <TypeRow key={entry.type} entry={entry} />
            ))}
          </DataTable>
        </>
      )}
    </Stack>
  );
}

function fits({ type, title, when, description }: TypeDocument, text: string): boolean {
  return [type, title, when, description].some((words) =>
    words.toLowerCase().includes(text.trim().toLowerCase()),
  );
}

function TypeRow({ entry: { type, state, description, when, since, plan } }: { entry: TypeDocument }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Link to="/events" search={{ type }}>
          {type}
        </Link>
      </Table.Td>
      <Table.Td>
        <Group gap="xs" wrap="nowrap">
          {state !== 'on' && (
            <Badge variant="dot" color="gray" tt="none">
              {state}
            </Badge>
          )}
          <span>{description.replace(/^(off|nothing): /, '')}</span>
        </Group>
      </Table.Td>
      <Table.Td>{when}</Table.Td>
      <Table.Td>{since}</Table.Td>
      <Table.Td>{plan}</Table.Td>
    </Table.Tr>
  );
}
