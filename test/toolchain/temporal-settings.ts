/** Dynamic configuration of a Temporal server: key to value. */
export type TemporalSettings = Readonly<Record<string, unknown>>;

/**
 * What a server needs before it calls external Nexus endpoints and takes their completions, and what makes it quick
 * enough for tests and demos. Keys that a version does not know do nothing there.
 *
 * @param httpAddress `host:port` of the server's own HTTP API, where handlers send completions
 */
export function temporalSettings(httpAddress: string): TemporalSettings {
  const callbackTemplate = `http://${httpAddress}/namespaces/{{.NamespaceName}}/nexus/callback`;
  const allowedAddresses = [{ Pattern: '*', AllowInsecure: true }];
  const pollsPerSecond = 5000;
  return {
    // Without the template an operation of an external endpoint stays scheduled, with no attempt shown.
    'component.nexusoperations.callback.endpoint.template': callbackTemplate,
    'nexusoperation.callback.endpoint.template': callbackTemplate,
    // Up to 1.31, and from 1.32 on: one setting with two names.
    'component.callbacks.allowedAddresses': allowedAddresses,
    'callback.allowedAddresses': allowedAddresses,
    // The queues are read 20 times a second by default: every step of an operation waits up to 50 ms.
    'history.transferProcessorMaxPollRPS': pollsPerSecond,
    'history.outboundProcessorMaxPollRPS': pollsPerSecond,
    'history.timerProcessorMaxPollRPS': pollsPerSecond,
    'history.visibilityProcessorMaxPollRPS': pollsPerSecond,
    'history.outboundQueue.hostScheduler.maxTaskRPS': pollsPerSecond,
    // A new endpoint can be called at once: by asking on every read (from 1.32 on), else by not waiting between polls.
    'system.forceNexusEndpointRefreshOnRead': true,
    'system.refreshNexusEndpointsMinWait': '10ms',
  };
}
