import type Docker from 'dockerode';

/** A container, network, volume or image of a run. */
export interface Trace {
  readonly kind: 'container' | 'network' | 'volume' | 'image';
  readonly name: string;
  remove(): Promise<unknown>;
}

/**
 * Everything in an engine with `mark` in its name or labels: containers, running or not, then networks, volumes
 * and image names.
 */
export async function findTraces(docker: Docker, mark: string): Promise<Trace[]> {
  const [containers, networks, { Volumes }, images] = await Promise.all([
    docker.listContainers({ all: true }),
    docker.listNetworks(),
    docker.listVolumes(),
    docker.listImages(),
  ]);
  const isMarked = (...texts: unknown[]) => JSON.stringify(texts).includes(mark);
  return [
    ...containers
      .filter(({ Names, Labels }) => isMarked(Names, Labels))
      .map(({ Id, Names }) => ({
        kind: 'container' as const,
        name: Names.join(),
        remove: () => docker.getContainer(Id).remove({ force: true, v: true }),
      })),
    ...networks
      .filter(({ Name, Labels }) => isMarked(Name, Labels))
      .map(({ Id, Name }) => ({
        kind: 'network' as const,
        name: Name,
        remove: () => docker.getNetwork(Id).remove(),
      })),
    ...(Volumes ?? [])
      .filter(({ Name, Labels }) => isMarked(Name, Labels))
      .map(({ Name }) => ({
        kind: 'volume' as const,
        name: Name,
        remove: () => docker.getVolume(Name).remove(),
      })),
    ...images
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .filter((tag) => isMarked(tag))
      .map((tag) => ({
        kind: 'image' as const,
        name: tag,
        remove: () => docker.getImage(tag).remove(),
      })),
  ];
}

/** Removes them kind by kind, since containers must go before their networks and images. */
export async function removeTraces(
  docker: Docker,
  mark: string,
  kinds: readonly string[] = ['container', 'network', 'volume', 'image'],
): Promise<void> {
  const traces = await findTraces(docker, mark);
  for (const kind of kinds) {
    // Errors are ignored: the object may just have been removed.
    await Promise.allSettled(traces.filter((trace) => trace.kind === kind).map((trace) => trace.remove()));
  }
}
