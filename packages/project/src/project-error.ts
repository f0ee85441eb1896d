/** A mistake in the request. The API answers it with 400. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError';

  /**
   * @param message for users: what is wrong, and what to do
   * @param path in the request, for example `files[2].basename`
   */
  constructor(
    message: string,
    readonly path: string,
  ) {
    super(message);
  }
}
