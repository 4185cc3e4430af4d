// What all pages stand in: the name, the ways to the other pages, and the way out.

import {
  AppShell,
  Burger,
  Button,
  Group,
  NavLink,
  ScrollArea,
  Text,
  Title,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { sessionQuery } from '../api/queries.ts';
import { KeyHelp } from './key-help.tsx';

const pages = [
  { to: '/', label: 'Overview' },
  { to: '/events', label: 'Events' },
  { to: '/dead-letters', label: 'Dead letters' },
  { to: '/replays', label: 'Replays' },
  { to: '/refused', label: 'Refused' },
  { to: '/catalogue', label: 'Catalogue' },
] as const;

export function Shell() {
  const [isOpen, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const { data: session } = useQuery(sessionQuery);
  const isHere = (to: string) => (to === '/' ? pathname === '/' : pathname.startsWith(to));
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 190, breakpoint: 'sm', collapsed: { mobile: !isOpen } }}
      padding="md"
    >
      <AppShell.Header px="md">
        <Group h="100%">
          <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Pages" />
          <Title order={1} size="h4">
            fusionauth-segment
          </Title>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <AppShell.Section grow component={ScrollArea}>
          {pages.map(({ to, label }) => (
            <NavLink
              key={to}
              component={Link}
              to={to}
              label={label}
              active={isHere(to)}
              aria-current={isHere(to) ? 'page' : undefined}
              onClick={close}
            />
          ))}
        </AppShell.Section>
        {session !== undefined && session.access !== 'open' && (
          <form method="post" action="/sign-out">
            <Button type="submit" size="xs" variant="default" fullWidth>
              Sign out{session.access === 'viewer' ? ' (may only read)' : ''}
            </Button>
          </form>
        )}
        <Text size="xs" c="dimmed" p="xs">
          <VisuallyHidden>Further: </VisuallyHidden>
          <a href="/export">Exports</a> · <a href="/metrics">Metrics</a>
        </Text>
      </AppShell.Navbar>
      <AppShell.Main>
        <Outlet />
        <KeyHelp />
      </AppShell.Main>
    </AppShell>
  );
}
