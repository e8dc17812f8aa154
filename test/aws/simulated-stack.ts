import type { RegistrationHandler } from '../../src/aws/registration.ts';
import type { RegistrationEvent } from '../../src/aws/registration-event.ts';

/** Properties of resources by logical ID, in the order in which they depend on each other. */
export type Template = Readonly<Record<string, object>>;

export interface DeployOptions {
  /** A resource of another kind fails after all of these. */
  readonly fails?: boolean;
  /** The answers to these resources are lost: they did what they were asked, and their deploy fails. */
  readonly losesAnswers?: readonly string[];
  /** Every request comes twice. */
  readonly repeats?: boolean;
}

interface Resource {
  readonly id: string;
  readonly properties: object;
}

/** A request whose properties have types that tell more. */
type Request = { readonly [member in keyof Omit<RegistrationEvent, 'StackId'>]: unknown };

const TWO_MINUTES_MS = 120_000;

/**
 * A stack of custom resources, which asks their handler what CloudFormation does under the CDK's provider framework: in
 * which order, with which IDs, and for what of a failed deploy it asks to take it back.
 */
export class SimulatedStack {
  readonly name: string;
  resources: ReadonlyMap<string, Resource> = new Map();
  readonly #handler: RegistrationHandler;
  #uuid = 0;

  constructor(name: string, handler: RegistrationHandler) {
    this.name = name;
    this.#handler = handler;
  }

  get stackId(): string {
    return `arn:aws:cloudformation:eu-west-1:111122223333:stack/${this.name}/0000-${this.#uuid}`;
  }

  /** Resolves with the reason why the deploy was taken back; rejects where that failed too. */
  async deploy(template: Template, options: DeployOptions = {}): Promise<string | undefined> {
    const before = this.resources;
    const after = new Map(before);
    const touched: { logicalId: string; given: object; answered: boolean }[] = [];
    try {
      for (const [logicalId, given] of Object.entries(template)) {
        const old = before.get(logicalId);
        if (old !== undefined && JSON.stringify(old.properties) === JSON.stringify(given)) continue;
        const step = { logicalId, given, answered: false };
        touched.push(step);
        const id = await this.#ask(old ? 'Update' : 'Create', logicalId, given, { old, repeats: options.repeats });
        if (options.losesAnswers?.includes(logicalId)) throw new Error(`no answer came from ${logicalId}`);
        step.answered = true;
        after.set(logicalId, { id, properties: given });
      }
      if (options.fails) throw new Error('another resource failed');
    } catch (error) {
      for (const { logicalId, given, answered } of touched.reverse()) {
        const now = after.get(logicalId);
        const old = before.get(logicalId);
        if (old === undefined) {
          // The framework keeps the deletion of a resource whose creation failed to itself.
          if (answered && now) await this.#remove(logicalId, now);
          continue;
        }
        const id = answered && now ? now.id : old.id;
        const back = await this.#ask('Update', logicalId, old.properties, { old: { id, properties: given } });
        if (back !== id) await this.#remove(logicalId, { id, properties: given });
      }
      return (error as Error).message;
    }
    for (const [logicalId, old] of before) {
      const now = after.get(logicalId);
      if (!(logicalId in template)) after.delete(logicalId);
      if (!(logicalId in template) || now?.id !== old.id) await this.#remove(logicalId, old);
    }
    this.resources = after;
    return undefined;
  }

  /** A stack of this name that is made after this has another UUID. */
  async delete(): Promise<void> {
    for (const [logicalId, resource] of [...this.resources].reverse()) await this.#remove(logicalId, resource);
    this.forget();
  }

  /** As if it were deleted with its resources retained. */
  forget(): void {
    this.resources = new Map();
    this.#uuid += 1;
  }

  async #remove(logicalId: string, { id, properties }: Resource): Promise<void> {
    const answer = await this.#send({
      RequestType: 'Delete',
      LogicalResourceId: logicalId,
      PhysicalResourceId: id,
      ResourceProperties: properties,
    });
    if (answer !== id) throw new Error(`DELETE: cannot change the physical resource ID from "${id}" to "${answer}"`);
  }

  async #ask(
    RequestType: 'Create' | 'Update',
    logicalId: string,
    given: object,
    { old, repeats = false }: { readonly old?: Resource | undefined; readonly repeats?: boolean | undefined },
  ): Promise<string> {
    const event = {
      RequestType,
      LogicalResourceId: logicalId,
      ...(old && { PhysicalResourceId: old.id, OldResourceProperties: old.properties }),
      ResourceProperties: given,
    };
    if (repeats) await this.#send(event);
    return this.#send(event);
  }

  async #send(request: Request): Promise<string> {
    const context = { getRemainingTimeInMillis: () => TWO_MINUTES_MS };
    const { PhysicalResourceId } = await this.#handler(
      { ...(request as RegistrationEvent), StackId: this.stackId },
      context,
    );
    return PhysicalResourceId;
  }
}
