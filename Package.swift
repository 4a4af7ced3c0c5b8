// swift-tools-version: 6.2
import PackageDescription

/// CI sets JOBBROKER_STRICT=1; a user with a newer compiler is not stopped by a new warning.
let strict: [SwiftSetting] =
  Context.environment["JOBBROKER_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : []

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let tls = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")

let package = Package(
  name: "jobbroker",
  products: [
    .library(name: "JobBrokerClient", targets: ["JobBrokerClient"]),
    // For Fuzz, a package of its own; the interface of these is nobody else's to use.
    .library(name: "JobBrokerParts", targets: ["JobProtocol", "JobStore", "SQLiteJobStore", "BrokerServer"]),
    .executable(name: "jobbrokerd", targets: ["jobbrokerd"]),
    .executable(name: "jobctl", targets: ["jobctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
  ],
  targets: [
    // SQLite, system libraries and generated code.
    .target(
      name: "CSQLite", exclude: ["README.md"],
      cSettings: [
        // Each connection is used by one thread at a time.
        .define("SQLITE_THREADSAFE", to: "2"),
        // Without, a sync is fsync(2), which also waits for the file's times.
        .define("HAVE_FDATASYNC"),
        // As before 3.42: a database is checked when it is opened, and must pass with the JSON that an older version took.
        .define("SQLITE_JSON_MAX_DEPTH", to: "2000"),
        // What its authors recommend to whoever can do without (sqlite.org/compile.html).
        .define("SQLITE_DEFAULT_MEMSTATUS", to: "0"),
        .define("SQLITE_LIKE_DOESNT_MATCH_BLOBS"),
        .define("SQLITE_OMIT_DECLTYPE"),
        .define("SQLITE_OMIT_DEPRECATED"),
        .define("SQLITE_OMIT_LOAD_EXTENSION"),
        .define("SQLITE_OMIT_PROGRESS_CALLBACK"),
        .define("SQLITE_OMIT_SHARED_CACHE"),
        .define("SQLITE_USE_ALLOCA"),
        // Fast in a build for debugging, too: it is not what is being debugged. Hidden, or a library that is loaded later and
        // wants the system's SQLite would be given this one.
        .unsafeFlags(["-O2", "-w", "-fvisibility=hidden"]),
      ]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .target(name: "CJobBrokerProto", dependencies: ["CProtobufC"]),

    // Stands between SQLite and its write-ahead log.
    .target(name: "CLogBuffer", dependencies: ["CSQLite"]),

    // The model, and what is built on it alone.
    .target(name: "JobModel", swiftSettings: strict),
    .target(
      name: "JobProtocol", dependencies: ["JobModel", "CJobBrokerProto", "CProtobufC", nioCore],
      swiftSettings: strict),
    .target(name: "JobStore", dependencies: ["JobModel"], swiftSettings: strict),
    .target(name: "BrokerCore", dependencies: ["JobModel", collections], swiftSettings: strict),

    // Stores, broker, client.
    .target(
      name: "SQLiteJobStore",
      dependencies: ["JobModel", "JobStore", "CSQLite", "CLogBuffer", collections, logging],
      swiftSettings: strict),
    .target(
      name: "LibSQLJobStore",
      dependencies: ["JobModel", "JobStore", nioCore, nioPosix, httpClient, tls, logging],
      swiftSettings: strict),
    .target(
      name: "JobStoreContract", dependencies: ["JobModel", "JobStore"], swiftSettings: strict),
    .target(
      name: "BrokerServer",
      dependencies: [
        "JobModel", "JobProtocol", "JobStore", "BrokerCore", nioCore, nioPosix, logging, lifecycle,
        collections,
      ],
      swiftSettings: strict),
    .target(
      name: "JobBrokerClient",
      dependencies: ["JobModel", "JobProtocol", nioCore, nioPosix, logging, lifecycle],
      swiftSettings: strict),

    // Executables.
    .executableTarget(
      name: "jobbrokerd",
      dependencies: [
        "BrokerServer", "SQLiteJobStore", "LibSQLJobStore", "JobStore", arguments, logging, lifecycle,
        unixSignals,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "jobctl",
      dependencies: [
        "JobBrokerClient", arguments, logging, lifecycle, unixSignals,
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: strict),

    // What the tests of proto/vectors share: the loader of the vectors, and the Swift client's conformance
    // adapter, which is a program because the drivers of all languages are.
    .target(
      name: "VectorSupport", dependencies: ["JobProtocol", "JobModel", "CJobBrokerProto", "CProtobufC"],
      path: "Tests/VectorSupport", swiftSettings: strict),
    .executableTarget(
      name: "ConformanceAdapter", dependencies: ["JobBrokerClient", "JobProtocol", "VectorSupport"],
      path: "Tests/ConformanceAdapter", swiftSettings: strict),

    // The store as docs/job-states.md has it, in memory; and what judges by it the histories that real clients record.
    .target(name: "StoreModel", dependencies: ["JobModel"], path: "Tests/StoreModel", swiftSettings: strict),
    .target(
      name: "HistorySupport", dependencies: ["JobBrokerClient", "StoreModel", "TrustSupport"],
      path: "Tests/HistorySupport", swiftSettings: strict),
    .executableTarget(
      name: "HistoryDriver", dependencies: ["HistorySupport", "JobModel"],
      path: "Tests/HistoryDriver", swiftSettings: strict),

    // How a campaign is sized, and says what came of it.
    .target(name: "TrustSupport", path: "Tests/TrustSupport", swiftSettings: strict),
    // Child processes and directories that do not outlive a test.
    .target(name: "CSpawn", path: "Tests/CSpawn"),
    .target(
      name: "TestSupport", dependencies: ["CSpawn"], path: "Tests/TestSupport", swiftSettings: strict),

    // Stands between SQLite and its files, keeps a log of what it does to them, and can fail.
    .target(name: "CFaultVFS", dependencies: ["CSQLite"], path: "Tests/CFaultVFS"),

    // Tests: one folder per target.
    .testTarget(name: "JobModelTests", dependencies: ["JobModel"], swiftSettings: strict),
    .testTarget(
      name: "JobProtocolTests", dependencies: ["JobProtocol", "JobModel", "VectorSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "SQLiteJobStoreTests",
      dependencies: [
        "SQLiteJobStore", "JobStoreContract", "CSQLite", "StoreModel", "TestSupport", "TrustSupport",
      ],
      swiftSettings: strict),
    .target(
      name: "LibSQLTestSupport",
      dependencies: [
        "TestSupport", nioCore, nioPosix, .product(name: "NIOHTTP1", package: "swift-nio"), httpClient,
        tls,
      ],
      path: "Tests/LibSQLTestSupport", swiftSettings: strict),
    .testTarget(
      name: "LibSQLJobStoreTests",
      dependencies: [
        "LibSQLJobStore", "LibSQLTestSupport", "JobStoreContract", "TestSupport", "TrustSupport", nioCore,
        logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "DiskFaultTests",
      dependencies: ["SQLiteJobStore", "CSQLite", "CFaultVFS", "TestSupport", "TrustSupport"],
      swiftSettings: strict),
    .testTarget(name: "BrokerCoreTests", dependencies: ["BrokerCore"], swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["BrokerCore", "SQLiteJobStore", "StoreModel", "TrustSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "BrokerServerTests",
      dependencies: [
        "BrokerServer", "TestSupport", lifecycle, nioPosix,
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "JobBrokerClientTests", dependencies: ["JobBrokerClient"], swiftSettings: strict),
    .testTarget(name: "jobctlTests", dependencies: ["jobctl"], swiftSettings: strict),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "JobBrokerClient", "JobProtocol", "VectorSupport", "ConformanceAdapter", "LibSQLTestSupport",
        "TestSupport", "TrustSupport", "HistorySupport", "HistoryDriver", "StoreModel", "CSQLite",
        "jobbrokerd",
        "jobctl", nioCore, nioPosix,
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: strict),
  ]
)
