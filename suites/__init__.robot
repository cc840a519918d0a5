*** Settings ***
Documentation       Hot attach and hot detach of SCSI disks under guest I/O: the test plan, run on the *Target* below.
...
...                 The plan's prerequisites: run vhost with 8 empty controllers, prepare 16 NVMe disks.

Resource            ../resources/plan.resource

Suite Setup         Run Vhost With 8 Empty Controllers And 16 Disks
Suite Teardown      Stop Vhost And Check Its End

Name                Vhost Hotplug Test Plan
