*** Settings ***
Documentation       SPDK vhost under hot attach and hot detach of SCSI disks: the whole test plan.
...
...                 The plan's prerequisites: run vhost with 8 empty controllers, prepare 16 NVMe disks.

Resource            ../resources/plan.resource

Suite Setup         Run Vhost With 8 Empty Controllers And 16 Disks
Suite Teardown      Stop Vhost And Check Its End
