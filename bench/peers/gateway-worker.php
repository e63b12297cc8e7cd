<?php

// GatewayWorker as in its manual: a register, two gateways and two business workers, started by one file.
// The only argument is "start". BENCH_GATEWAYWORKER is a folder with vendor/autoload.php.
declare(strict_types=1);

require getenv('BENCH_GATEWAYWORKER') . '/vendor/autoload.php';

use GatewayWorker\BusinessWorker;
use GatewayWorker\Gateway;
use GatewayWorker\Lib\Gateway as Lib;
use GatewayWorker\Register;
use Workerman\Worker;

class Events
{
    /** Binds the client to the user in its request, which replaces an application's token. */
    public static function onWebSocketConnect(string $client, array $request): void
    {
        Lib::bindUid($client, $request['get']['user']);
        Lib::sendToClient($client, 'bound');
    }

    public static function onMessage(string $client, mixed $message): void
    {
    }
}

$folder = getenv('BENCH_FOLDER');
$register = '127.0.0.1:' . getenv('BENCH_REGISTER');
Worker::$pidFile = "$folder/pid";
Worker::$logFile = "$folder/log";
Worker::$stdoutFile = "$folder/stdout";

new Register("text://$register");

$gateway = new Gateway('websocket://127.0.0.1:' . getenv('BENCH_PORT'));
$gateway->count = 2;
$gateway->lanIp = '127.0.0.1';
$gateway->startPort = (int) getenv('BENCH_START_PORT');
$gateway->pingInterval = 55;
$gateway->pingNotResponseLimit = 0;
$gateway->pingData = '{"type":"ping"}';
$gateway->registerAddress = $register;

$worker = new BusinessWorker();
$worker->count = 2;
$worker->registerAddress = $register;
$worker->eventHandler = Events::class;

Worker::runAll();
