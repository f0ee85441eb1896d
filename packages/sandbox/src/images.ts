/** Which images the settings' names stand for: a name may be given to another image at any time. */
import type Docker from 'dockerode';
import { engineCall, httpStatus, SandboxUnavailable } from './engine.js';
import type { StepKind } from './launcher-request.js';
import { IMAGE_KNOWN_MS } from './limits.js';

/** The stages of docker/sandbox/Dockerfile. */
const TARGETS: Record<StepKind, string> = { build: 'sandbox', prove: 'sandbox', run: 'runner' };

interface Known {
  id: string;
  /** When the engine was asked. */
  askedMs: number;
}

export class Images {
  readonly #known = new Map<string, Known>();

  constructor(
    private readonly docker: Docker,
    private readonly names: Readonly<Record<StepKind, string>>,
  ) {}

  /**
   * The id of the image that has the kind's name, or had it a few seconds ago.
   * @throws {SandboxUnavailable} engine out of reach or no such image, and what to do about it.
   */
  async known(kind: StepKind): Promise<string> {
    const known = this.#known.get(this.names[kind]);
    return known !== undefined && performance.now() - known.askedMs < IMAGE_KNOWN_MS ? known.id : this.current(kind);
  }

  /**
   * The id of the image that has the kind's name now; from here on that is what is known.
   * @throws as `known`.
   */
  async current(kind: StepKind): Promise<string> {
    const name = this.names[kind];
    const askedMs = performance.now();
    const id = await this.#ask(kind);
    const known = this.#known.get(name);
    // Answers may come in another order.
    if (known === undefined || known.askedMs < askedMs) this.#known.set(name, { id, askedMs });
    return id;
  }

  async #ask(kind: StepKind): Promise<string> {
    const name = this.names[kind];
    try {
      const { Id } = await engineCall('inspect an image', () => this.docker.getImage(name).inspect());
      return Id;
    } catch (error) {
      if (httpStatus(error instanceof Error ? error.cause : undefined) !== 404) throw error;
      const remedy = `docker build --target ${TARGETS[kind]} --tag ${name} docker/sandbox`;
      throw new SandboxUnavailable(`There is no image ${name}. Make it with: ${remedy}`, { cause: error });
    }
  }
}
