/// What a client asks of a server.
enum Request {
  case create, claim, complete
}

/// What a server says to it.
enum Answer {
  case created
  /// The number of the job that the client has now.
  case claimed(UInt32)
  /// There was no job.
  case nothing
  case completed
}

/// One client's side of a peer's protocol: only bytes, no I/O, so that the generator is the same for all peers.
protocol Wire {
  /// Whether a claim waits at the server for a job. Of a peer where it does not, a worker looks again.
  static var blocks: Bool { get }

  /// Says hello and makes ready, before anything is measured.
  mutating func open(_ socket: Socket) throws

  /// Appends a request for one new job.
  mutating func create(_ number: UInt32, to output: inout [UInt8])
  /// Appends a request for the next job; it blocks for about a second where the peer can.
  mutating func claim(to output: inout [UInt8])
  /// Appends a request that completes the job claimed last.
  mutating func complete(to output: inout [UInt8])

  /// Reads the answer at the start of what came.
  ///
  /// - Returns: the answer and how many bytes it took; nil when it is not all there.
  /// - Throws: `Failure` when the server said no.
  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
}
