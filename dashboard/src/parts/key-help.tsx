// Which keys there are: `?` shows it.

import { Kbd, Modal, Table } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useKeys } from './use-keys.ts';

const keys = [
  ['j, k', 'the next event, the one before'],
  ['Enter', 'opens it'],
  ['/', 'to the search'],
  ['p', 'pauses the list, and goes on'],
  ['r', 'reads the list again'],
  ['?', 'these keys'],
] as const;

export function KeyHelp() {
  const [isOpen, { toggle, close }] = useDisclosure();
  useKeys({ '?': toggle });
  return (
    <Modal opened={isOpen} onClose={close} title="Keys">
      <Table aria-label="Keys">
        <Table.Tbody>
          {keys.map(([key, meaning]) => (
            <Table.Tr key={key}>
              <Table.Td>
                <Kbd>{key}</Kbd>
              </Table.Td>
              <Table.Td>{meaning}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
