import JobBrokerClient

/// Calls a broker that misbehaves, once for each line on stdin, and says what each call comes to.
struct Hostile {
  let socket: String

  func run() async throws {
    let client = try await JobBrokerClient.connect(.init(socketPath: socket))
    while readLine() != nil {
      do {
        _ = try await client.get(.timeOrdered())
        ConformanceAdapter.write("OK")
      } catch {
        ConformanceAdapter.write(error.code.rawValue)
      }
    }
    await client.close()
  }
}
