/** What the user has to change in the request; an HTTP service answers it with 400. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError';

  /**
   * @param message for people: what is wrong, and what to do about it
   * @param path where in the request, e.g. `files[2].basename`
   */
  constructor(
    message: string,
    readonly path: string,
  ) {
    super(message);
  }
}
