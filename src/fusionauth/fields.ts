// The words in which the catalogue says what a field of an event holds: its kind, an example, and what to mind about
// it. TypeScript's types, samples, the documents and the mapping's reading of an event all come from these.

/** Who and when a sample is about: the same identity gives the same sample. */
export interface SampleIdentity {
  readonly eventId: string;
  readonly userId: string;
  /** Milliseconds since 1970. */
  readonly createInstant: number;
}

type Example<Value> = Value | ((identity: SampleIdentity) => Value);

interface Marks {
  /** FusionAuth version that first sent it, where that is later than the event itself. */
  readonly since?: string;
  /** FusionAuth version that no longer sends it. */
  readonly until?: string;
  /** Lets its holder in somewhere: stripped before the event is stored. */
  readonly secret?: true;
  /** Tells about a person, so `privacy` may want a word about it. */
  readonly personal?: true;
  /** A second name that FusionAuth's documents or older versions use. */
  readonly formerly?: string;
}

interface TextField extends Marks {
  /** `date`: a day, as YYYY-MM-DD. */
  readonly kind: 'text' | 'uuid' | 'date';
  readonly example: Example<string>;
}
interface FlagField extends Marks {
  readonly kind: 'flag';
  readonly example: Example<boolean>;
}
interface NumberField extends Marks {
  /** `instant`: milliseconds since 1970, UTC. */
  readonly kind: 'number' | 'instant';
  readonly example: Example<number>;
}
interface ListField extends Marks {
  readonly kind: 'list';
  readonly of: Field;
}
interface ObjectField extends Marks {
  readonly kind: 'object';
  readonly fields: Fields;
}
/** Any JSON: what it holds is the customer's, or varies too much to be described. */
interface FreeField extends Marks {
  readonly kind: 'free';
  readonly example: Example<unknown>;
}

export type Field = TextField | FlagField | NumberField | ListField | ObjectField | FreeField;
export type Fields = Readonly<Record<string, Field>>;

/** The TypeScript type of a field's value. */
export type ValueOf<F extends Field> = F extends TextField
  ? string
  : F extends FlagField
    ? boolean
    : F extends NumberField
      ? number
      : F extends ListField
        ? readonly ValueOf<F['of']>[]
        : F extends ObjectField
          ? ValuesOf<F['fields']>
          : unknown;

/** All fields of all events may be missing or null: FusionAuth leaves out what is empty. */
export type ValuesOf<F extends Fields> = { readonly [Name in keyof F]?: ValueOf<F[Name]> | null };

const day = 86_400_000;

export const text = (example: Example<string>) => ({ kind: 'text', example }) as const;
export const uuid = (example: Example<string>) => ({ kind: 'uuid', example }) as const;
export const date = (example: Example<string>) => ({ kind: 'date', example }) as const;
export const flag = (example: Example<boolean>) => ({ kind: 'flag', example }) as const;
export const number = (example: Example<number>) => ({ kind: 'number', example }) as const;
/** An instant that lies this many days before the event. */
export const instant = (daysBefore = 0) =>
  ({
    kind: 'instant',
    example: ({ createInstant }: SampleIdentity) => createInstant - daysBefore * day,
  }) as const;
export const list = <Of extends Field>(of: Of) => ({ kind: 'list', of }) as const;
export const object = <const Of extends Fields>(fields: Of) => ({ kind: 'object', fields }) as const;
export const free = (example: Example<unknown>) => ({ kind: 'free', example }) as const;

export const secret = <F extends Field>(field: F) => ({ ...field, secret: true }) as const;
export const personal = <F extends Field>(field: F) => ({ ...field, personal: true }) as const;
export const since = <F extends Field>(version: string, field: F) => ({ ...field, since: version }) as const;
export const until = <F extends Field>(version: string, field: F) => ({ ...field, until: version }) as const;
export const formerly = <F extends Field>(name: string, field: F) => ({ ...field, formerly: name }) as const;
