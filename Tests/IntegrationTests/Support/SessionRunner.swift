import VectorSupport

/// Runs a session of proto/vectors, as its README.md says.
struct SessionRunner {
  private let socket: String
  private var connections: [String: RawConnection] = [:]
  private var pattern = Pattern()

  /// Runs a session with the broker of this socket: what did not go as it says, and in which step; nil when all did.
  static func mismatch(in session: Vectors.Session, socket: String) async throws -> String? {
    var runner = SessionRunner(socket: socket)
    for (index, step) in session.steps.enumerated() {
      if let mismatch = try await runner.mismatch(in: step) { return "step \(index + 1): \(mismatch)" }
    }
    return nil
  }

  private init(socket: String) {
    self.socket = socket
  }

  private mutating func mismatch(in step: Vectors.Session.Step) async throws -> String? {
    let name = step.on ?? ""
    let connection = try connections[name] ?? RawConnection(to: socket)
    connections[name] = connection
    if let message = step.send {
      let body = try WireJSON.request.bytes(pattern.filled(message))
      let length = withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init)
      await connection.write(length + body)
    } else if let hex = step.sendHex {
      guard let bytes = Hex.bytes(hex) else { return "no hexadecimal digits: \(hex)" }
      await connection.write(bytes)
    } else if let expected = step.expect {
      guard let body = try await connection.readBody() else { return "the broker has closed the connection" }
      return pattern.mismatch(expected, try WireJSON.response.json(body))
    } else if step.close == true {
      return try await connection.readBody() == nil ? nil : "the broker goes on"
    } else if step.disconnect == true {
      connection.cut()
      connections[name] = nil
    } else {
      return "a step of an unknown kind"
    }
    return nil
  }
}
