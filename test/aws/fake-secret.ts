import type { SecretReader, SecretVersions } from '../../src/aws/basic-secret.ts';
import type { SimulatedTime } from './simulated-time.ts';

/** A secret whose stages move as those of Secrets Manager do. */
export class FakeSecret implements SecretReader {
  stages: SecretVersions;
  /** When each read started. */
  readonly readsAt: number[] = [];
  /** How long a read takes, and after how much of it (0 to 1) the secret is looked at. */
  readMs = 0;
  lookedAt = 1;
  /** What reads fail with from now on, if anything. */
  failure: Error | undefined;
  readonly #time: SimulatedTime;

  constructor(time: SimulatedTime, current: string | undefined) {
    this.#time = time;
    this.stages = { current, previous: undefined, pending: undefined };
  }

  async read(): Promise<SecretVersions> {
    this.readsAt.push(this.#time.now());
    const before = Math.round(this.readMs * this.lookedAt);
    const after = this.readMs - before;
    if (before > 0) await this.#time.wait(before);
    const { stages, failure } = this;
    if (after > 0) await this.#time.wait(after);
    if (failure !== undefined) throw failure;
    return stages;
  }

  /** `put-secret-value --version-stages AWSPENDING` */
  stage(text: string | undefined): void {
    this.stages = { ...this.stages, pending: text };
  }

  /** `put-secret-value` */
  put(text: string): void {
    this.stages = { ...this.stages, current: text, previous: this.stages.current };
  }

  /** `update-secret-version-stage --version-stage AWSCURRENT --move-to-version-id` of the pending version */
  promote(): void {
    this.stages = { current: this.stages.pending, previous: this.stages.current, pending: undefined };
  }

  /** The same, of the previous version. */
  rollBack(): void {
    this.stages = { ...this.stages, current: this.stages.previous, previous: this.stages.current };
  }
}
