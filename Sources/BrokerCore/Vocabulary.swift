import JobModel

/// A moment by both clocks. Deadlines use the steady one, which can't jump; what people read uses the wall.
public struct Moment: Sendable {
  /// Time since some fixed moment, by a clock that never jumps (CLOCK_MONOTONIC, clock_gettime(2)).
  public var steady: Duration
  /// The wall clock's time.
  public var wall: Timestamp

  /// A moment from both readings.
  public init(steady: Duration, wall: Timestamp) {
    self.steady = steady
    self.wall = wall
  }
}

/// One connection of one peer; never reused.
public struct ConnectionID: Hashable, Sendable {
  /// A number, counted from 1.
  public var number: UInt64

  /// A connection from its number.
  public init(_ number: UInt64) { self.number = number }
}

/// Who is at the other end, as the kernel says.
public struct Peer: Sendable {
  /// Its process id.
  public var pid: UInt32
  /// Its user id.
  public var uid: UInt32
  /// Whether it may pause, resume, prune, back up, reap and delete.
  public var isOperator: Bool

  /// A peer from its parts.
  public init(pid: UInt32, uid: UInt32, isOperator: Bool) {
    self.pid = pid
    self.uid = uid
    self.isOperator = isOperator
  }
}

/// One request of one connection.
public struct RequestKey: Hashable, Sendable {
  /// Who asked.
  public var connection: ConnectionID
  /// The client's number for it.
  public var id: UInt64

  /// A key from its parts.
  public init(connection: ConnectionID, id: UInt64) {
    self.connection = connection
    self.id = id
  }
}

/// A command on its way to the store, with what the core needs to know when it comes back.
public struct Submission: Sendable {
  /// What the store shall run.
  public var command: JobCommand
  /// Whether its result may be told before it is durable. True for what costs nobody work when a power cut
  /// undoes it: claims and reports (whose worker goes down with this host), and reads.
  public var isVolatile: Bool
  var purpose: Purpose

  /// Who waits for its result, and may ask for the next thing when it has it; nil: nobody.
  public var asker: ConnectionID? {
    switch purpose {
    case .request(let key, isFenced: _), .create(let key), .watch(let key), .prune(let key, soFar: _),
      .pause(let key, type: _), .resume(let key, type: _):
      key.connection
    case .claim(let claim): claim.key.connection
    case .reap(let reap): reap.key.connection
    case .reports, .promotion, .poll, .end: nil
    }
  }
}

/// Why a command was submitted. What is large is boxed: it is copied often.
enum Purpose: Sendable {
  /// A request about jobs that exist; answered with what came of it. A fenced one is the holder's own.
  case request(RequestKey, isFenced: Bool)
  case create(RequestKey)
  indirect case claim(WaitingClaim)
  case watch(RequestKey)
  case reap(Reap)
  case prune(RequestKey, soFar: Int)
  case pause(RequestKey, type: String)
  case resume(RequestKey, type: String)
  case reports
  case promotion
  case poll
  /// The claim ends because its holder is gone.
  case end(ClaimToken)
}

/// A question that the store answers beside the stream of commands.
public enum Query: Sendable, Equatable {
  /// One job with its history.
  case get(JobID)
  /// A page of jobs.
  case list(JobFilter)
  /// A place in the queue.
  case position(JobID)
  /// Counters by type.
  case stats
  /// A copy of the store to a new file.
  case backup(path: String)
}

/// What a query came to.
public enum Answer: Sendable {
  /// To `get`.
  case job(Job?)
  /// To `list`.
  case page(JobPage)
  /// To `position`.
  case position(QueuePosition)
  /// To `stats`: the store's counters, and what the server knows of its process.
  case stats(BrokerStats)
  /// To `backup`.
  case done
}

/// What the core wants done. Submissions are boxed: all actions take as much room as the largest.
public enum Action: Sendable {
  /// Run the command in the next transaction, in the order of submission, and hand its result to `finish`.
  indirect case submit(Submission)
  /// Answer the query beside the stream of commands and hand the answer to `answer`.
  case query(RequestKey, Query)
  /// Send a response. When it can't be sent, tell `undelivered` of the claims it hands over. Tell `snapshotTold` when a
  /// snapshot was sent, or can't be.
  case respond(RequestKey, Reply, handingOver: [ClaimToken] = [])
  /// End the connection after what was sent to it.
  case close(ConnectionID)
}
