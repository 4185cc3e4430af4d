// What is not well, in one sentence, and what to do.

import { Alert, Text } from '@mantine/core';
import { ApiError } from '../api/client.ts';

export function Trouble({
  title,
  fix,
  level = 'warn',
}: {
  title: string;
  fix?: string | undefined;
  level?: 'warn' | 'fail';
}) {
  return (
    <Alert
      color={level === 'fail' ? 'red' : 'yellow'}
      title={title}
      classNames={{ title: 'trouble-title' }}
      role={level === 'fail' ? 'alert' : 'status'}
    >
      {fix !== undefined && <Text size="sm">{fix}</Text>}
    </Alert>
  );
}

/** An error of a query. */
export function Failure({ error }: { error: Error }) {
  return (
    <Trouble level="fail" title={error.message} fix={error instanceof ApiError ? error.hint : undefined} />
  );
}
