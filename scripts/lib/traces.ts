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
  const traces: Trace[] = [];
  const add = (kind: Trace['kind'], name: string, labels: unknown, remove: () => Promise<unknown>) => {
    if (JSON.stringify([name, labels]).includes(mark)) traces.push({ kind, name, remove });
  };
  for (const { Id, Names, Labels } of containers) {
    add('container', Names.join(), Labels, () => docker.getContainer(Id).remove({ force: true, v: true }));
  }
  for (const { Id, Name, Labels } of networks) add('network', Name, Labels, () => docker.getNetwork(Id).remove());
  for (const { Name, Labels } of Volumes ?? []) add('volume', Name, Labels, () => docker.getVolume(Name).remove());
  for (const tag of images.flatMap(({ RepoTags }) => RepoTags ?? [])) {
    add('image', tag, undefined, () => docker.getImage(tag).remove());
  }
  return traces;
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
