import JobBrokerClient

/// A connection that several tasks share and that any of them may cut, whatever the others wait for.
actor Connections {
  private let socket: String
  private let name: String
  private let waitsForBroker: Bool
  private var current: JobBrokerClient?

  init(to socket: String, name: String, waitsForBroker: Bool) {
    self.socket = socket
    self.name = name
    self.waitsForBroker = waitsForBroker
  }

  /// The connection that is open, or a new one; nil when there is no broker and none is waited for. It never sends a
  /// request twice: one record is one request.
  func client() async -> JobBrokerClient? {
    while true {
      if let current { return current }
      var configuration = JobBrokerClient.Configuration(socketPath: socket, workerName: name)
      configuration.reconnects = false
      configuration.backoff = Backoff(initial: .milliseconds(5), maximum: .milliseconds(50))
      let client = try? await JobBrokerClient.connect(configuration, waitsForBroker: waitsForBroker)
      guard let client else {
        if waitsForBroker { continue }
        return nil
      }
      if let current {
        await client.close()
        return current
      }
      current = client
    }
  }

  /// Leaves a connection that is of no more use.
  func leave(_ client: JobBrokerClient) async {
    if current === client { current = nil }
    await client.close()
  }

  /// Cuts it, if it is open.
  func cut() async {
    if let current { await leave(current) }
  }
}
