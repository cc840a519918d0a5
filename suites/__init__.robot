*** Settings ***
Documentation       Hot attach and hot detach of SCSI disks under guest I/O, run on the *Vhost* below.
...
...                 The suites hotattach and hotdetach are the test plan. A suite of your own may lie beside them.

Resource            ../resources/testbed.resource

Suite Setup         Run Vhost Of Test Bed
Suite Teardown      Stop Vhost And Check Its End

Name                Vhost Hotplug Test Plan
