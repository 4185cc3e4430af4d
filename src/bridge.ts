// Puts the parts together: the only place where they are chosen and joined.

import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { readOrMakeBridgeIdentity } from './bridge-id.ts';
import { bridgeUrl, isLoopback } from './config/config.ts';
import type { Config } from './config/config.ts';
import { warehouseOf } from './config/destinations.ts';
import type { DestinationConfig, WarehouseConfig } from './config/destinations.ts';
import { mappingOptionsOf, usesHash } from './config/mapping-options.ts';
import { readMovedWarehouse } from './config/moved-warehouse.ts';
import { ExportToken } from './config/export-token.ts';
import { readOrMakeSalt } from './config/privacy-salt.ts';
import { describeVerification, requiresSignature } from './config/verification.ts';
import { Delivery } from './delivery/delivery.ts';
import { Turns } from './delivery/turns.ts';
import { RetryableError } from './destinations/destination.ts';
import type { Destination } from './destinations/destination.ts';
import { SegmentDestination } from './destinations/segment.ts';
import { WarehouseDestination } from './destinations/warehouse.ts';
import { connectionUrl, readConnection } from './destinations/warehouse/embedded/connection.ts';
import { EmbeddedServer } from './destinations/warehouse/embedded/server.ts';
import { movableServer } from './destinations/warehouse/movable-server.ts';
import { WarehouseExport } from './destinations/warehouse/export/warehouse-export.ts';
import { connectForReading } from './destinations/warehouse/reading-connection.ts';
import { externalServer } from './destinations/warehouse/server.ts';
import type { WarehouseServer } from './destinations/warehouse/server.ts';
import { reviveEvent } from './fusionauth/event.ts';
import { PublicKeys } from './fusionauth/public-keys.ts';
import type { KeysUnavailableError } from './fusionauth/public-keys.ts';
import { createSignatureVerifier } from './fusionauth/signature.ts';
import { createMetrics } from './http/metrics.ts';
import { createServer } from './http/server.ts';
import { WebhookWitness } from './http/webhook-witness.ts';
import { readLatest, readStatus } from './http/status.ts';
import type { Status } from './http/status.ts';
import { runRetention } from './log/retention.ts';
import { SqliteLog } from './log/sqlite.ts';
import { describeCatalogue } from './mapping/catalogue-document.ts';
import { explainMapping } from './mapping/explain.ts';
import { createMapping } from './mapping/map.ts';
import { startTracing } from './tracing.ts';
import { version } from './version.ts';

/** A bridge that takes webhooks and delivers them. */
export interface Bridge {
  /** Where this machine reaches it: `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Of each destination that is on: where it is, without a password. */
  readonly places: () => Readonly<Record<string, string>>;
  /** How webhooks are verified, in words. */
  readonly verification: string;
  readonly readStatus: () => Promise<Status>;
  /** Takes no more webhooks, finishes what is in hand within ten seconds, writes the positions, closes all. */
  readonly stop: () => Promise<void>;
}

/** The port cannot be listened on: ends the start. */
export class ListenError extends Error {
  readonly code = 'LISTEN';
  readonly hint =
    'Set HOST to an address of this machine and PORT to a free port, or stop the program that uses it';

  constructor({ host, port }: Config, cause: unknown) {
    super(`The bridge cannot listen on ${host}:${port}: ${(cause as Error).message}`, { cause });
    this.name = 'ListenError';
  }
}

/** Of the ten seconds that a stop may take: for webhooks that are still on their way … */
const requestGraceMs = 2_000;
/** … and for the batches in hand; the rest closes warehouse and log. */
const deliveryGraceMs = 5_000;
/** Of those before the start, so many are looked at for types that are unknown. */
const recentRecords = 500;
/** A start waits this long for the destinations' first word, so that it can tell what works. */
const firstWordMs = 15_000;

/**
 * Opens the log, listens, and starts to deliver; webhooks are taken before the destinations are up. The signal ends the
 * wait for them, not the bridge. Throws LogOpenError or ListenError, with nothing left open.
 */
export async function startBridge(
  config: Config,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<Bridge> {
  await using opened = new AsyncDisposableStack();
  const tracing = await startTracing(process.env, logger);
  opened.defer(() => tracing?.stop());
  const metrics = createMetrics({
    readStatus: () => readStatus(log, deliveries),
    readReplays: () => log.replays(),
    readStorage: () => log.storage(),
    isWritable: () => log.isWritable(),
  });
  const log = await SqliteLog.open(config.dataDirectory, {
    onGroup: (group) => {
      metrics.countGroup(group);
      tracing?.traceGroup(group);
    },
  });
  opened.defer(() => log.close());
  if (log.damage) {
    logger.error(
      {
        ...log.damage,
        hint: 'Keep the file that was set aside until it is known what was lost, and check the disk',
      },
      'The log was damaged: a new one was made of what could be read',
    );
  }

  const salt = usesHash(config) ? (config.privacySalt ?? readOrMakeSalt(config.dataDirectory)) : '';
  const destinations = config.destinations.map((settings) => createDestination(settings, config, logger));
  const optionsFor = (settings: DestinationConfig, idSuffix = '') =>
    mappingOptionsOf(config, salt, settings, idSuffix);
  const turns = new Turns();
  const deliveries = destinations.map(
    ({ destination, settings }) =>
      new Delivery({
        log,
        destination,
        mappingFor: (idSuffix) => createMapping(optionsFor(settings, idSuffix)),
        turns,
        logger,
        onAttempt: (attempt) => {
          metrics.countAttempt(destination.name, attempt);
          tracing?.traceAttempt(destination.name, attempt);
        },
        onSettled: (settled) => metrics.countSettled(destination.name, settled),
      }),
  );
  const places = () =>
    Object.fromEntries(destinations.map(({ destination, place }) => [destination.name, place()]));
  const verification = describeVerification(config);
  // Where the log cannot be read now, that is told by what needs it more.
  const earlier = await log.latest(recentRecords, []).catch(() => []);
  const witness = new WebhookWitness(
    earlier.map(({ receivedAt, id, type, verifiedBy }) => ({ at: receivedAt, id, type, verifiedBy })),
  );
  const startedAt = Date.now();

  const server = createServer({
    webhook: {
      log,
      logger: logger.child({ part: 'webhook' }),
      verifier: createVerifier(config, logger),
      requiresSignature: requiresSignature(config),
      maxBodyBytes: config.maxBodyBytes,
      witness,
    },
    access: {
      adminToken: config.adminToken,
      viewerToken: config.viewerToken,
      isLoopback: isLoopback(config.host),
      logger: logger.child({ part: 'access' }),
    },
    log,
    metrics,
    tracing,
    readStatus: () => readStatus(log, deliveries),
    readLatest: (count) => readLatest(log, deliveries, count),
    diagnosis: {
      readStorage: () => log.storage(),
      damage: log.damage,
      startedAt,
      about: () => ({ version, verification, places: places() }),
    },
    records: {
      deliveries,
      explain: ({ body }, name) => {
        const settings = config.destinations.find((destination) => destination.name === name);
        return settings === undefined
          ? { rules: [], messages: [] }
          : explainMapping(reviveEvent(body), optionsFor(settings));
      },
    },
    exports: {
      warehouse: createWarehouseExport(config),
      token: ExportToken.open(config.dataDirectory),
      logger: logger.child({ part: 'export' }),
    },
    catalogue: () =>
      describeCatalogue({ naming: config.mapping.naming, filters: [config.mapping.events ?? {}] }),
    page: () => ({ places: places(), verification, version }),
  });
  opened.defer(() => server.close());
  const url = await listen(server, config);

  // Stops all loops at once: one that waits for its destination's time-out takes none from another's.
  opened.defer(async () => {
    await Promise.all(deliveries.map((delivery) => delivery.stop(deliveryGraceMs)));
  });
  if (config.logRetentionMs !== undefined && deliveries.length > 0) {
    const ending = new AbortController();
    const consumers = deliveries.map(({ name }) => name);
    const retaining = runRetention(
      {
        log,
        logger,
        retentionMs: config.logRetentionMs,
        consumers,
        onRemoved: (records) => metrics.countRemoved(records),
      },
      ending.signal,
    );
    opened.defer(async () => {
      ending.abort();
      await retaining;
    });
  }
  const firstWords = Promise.all(deliveries.map((delivery) => delivery.start()));
  await withinMs(firstWordMs, firstWords, signal);

  const releases = opened.move();
  return {
    url,
    places,
    verification,
    readStatus: () => readStatus(log, deliveries),
    async stop() {
      // No webhook is taken while delivery comes to its end; the stack then closes the rest in reverse order.
      // A sender that is slow enough would hold up the close for as long as a request may take.
      const deadline = setTimeout(() => server.server.closeAllConnections(), requestGraceMs);
      await server.close();
      clearTimeout(deadline);
      await releases.disposeAsync();
    },
  };
}

interface PlacedDestination {
  readonly settings: DestinationConfig;
  readonly destination: Destination;
  readonly place: () => string;
}

function createDestination(settings: DestinationConfig, config: Config, logger: Logger): PlacedDestination {
  if (settings.kind === 'segment') {
    const { name, endpoint, writeKey, perSecond } = settings;
    const userAgent = `fusionauth-segment/${version}`;
    const destination = new SegmentDestination({ name, endpoint, writeKey, perSecond, userAgent });
    return { settings, destination, place: () => endpoint };
  }
  const { name, schema } = settings;
  const server = createWarehouseServer(settings, config, logger);
  const bridge = readOrMakeBridgeIdentity(config.dataDirectory);
  const destination = new WarehouseDestination({ name, server, schema, bridge, logger });
  return { settings, destination, place: () => `${server.place}, schema ${schema}` };
}

function createWarehouseServer(
  settings: WarehouseConfig,
  { dataDirectory }: Config,
  logger: Logger,
): WarehouseServer {
  if (settings.kind === 'external') return externalServer(settings.connectionString);
  const embedded = new EmbeddedServer({
    dataDirectory,
    port: settings.port,
    schema: settings.schema,
    logger,
  });
  return movableServer(embedded, () => readMovedWarehouse(dataDirectory));
}

/** Undefined where the warehouse is off. */
function createWarehouseExport({ destinations, dataDirectory }: Config): WarehouseExport | undefined {
  const settings = warehouseOf(destinations);
  if (settings === undefined) return undefined;
  return new WarehouseExport({
    schema: settings.schema,
    connect: async () => connectForReading(readerUrl(settings, dataDirectory)),
  });
}

/** Asked for each time: the embedded server's port may be another after it has been started again, or it is moved. */
function readerUrl(settings: WarehouseConfig, dataDirectory: string): string {
  if (settings.kind === 'external') return settings.connectionString;
  const moved = readMovedWarehouse(dataDirectory);
  if (moved !== undefined) return moved;
  const connection = readConnection(dataDirectory);
  if (connection) return connectionUrl(connection, 'reader');
  throw new RetryableError('The embedded warehouse is not there yet', { hint: 'Try again in some seconds' });
}

function createVerifier({ webhookSecrets, fusionAuthUrl }: Config, logger: Logger) {
  if (webhookSecrets.length === 0 && fusionAuthUrl === undefined) return undefined;
  const publicKeys = fusionAuthUrl === undefined ? undefined : new PublicKeys({ fusionAuthUrl });
  // Ahead of the first webhook, which FusionAuth gives two seconds.
  publicKeys?.load().catch((error: unknown) => {
    const { message, hint } = error as KeysUnavailableError;
    logger.warn({ reason: message, hint }, 'FusionAuth’s public keys cannot be read yet');
  });
  return createSignatureVerifier({ secrets: webhookSecrets, publicKeys });
}

async function listen(server: FastifyInstance, config: Config): Promise<string> {
  try {
    await server.listen({ host: config.host, port: config.port });
  } catch (cause) {
    throw new ListenError(config, cause);
  }
  const { port } = server.server.address() as AddressInfo;
  return bridgeUrl({ host: config.host, port });
}

async function withinMs(milliseconds: number, work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const late = new AbortController();
  const waited = sleep(milliseconds, undefined, { signal: AbortSignal.any([signal, late.signal]) });
  await Promise.race([work, waited.catch(() => undefined)]);
  late.abort();
}
